package catalog

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"

	"speedlayer/store"
)

// Any number of processes change the row at once, and no change is lost.
func TestUpdateAtOnce(t *testing.T) {
	st := memStore(t)
	const callers, each = 8, 20
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				if _, err := Update(t.Context(), st, func(p *store.Pointer) (bool, error) { p.Next++; return true, nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if p, err := st.Pointer(t.Context()); err != nil || p.Next != callers*each || p.Counter != callers*each {
		t.Errorf("pointer %+v, %v: want %d changes", p, err, callers*each)
	}
}

// A change owns what it is given, a row that stays is not written, and an error is
// the caller's.
func TestUpdateRefrains(t *testing.T) {
	st := memStore(t)
	before, err := Update(t.Context(), st, func(p *store.Pointer) (bool, error) {
		p.Generations, p.Running = []uint32{0, 1}, &store.Running{Owner: "a"}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	for _, why := range []error{nil, no} {
		p, err := Update(t.Context(), st, func(p *store.Pointer) (bool, error) {
			p.Generations[0], p.Running.Owner = 7, "b"
			return why != nil, why
		})
		if now, err2 := st.Pointer(t.Context()); !errors.Is(err, why) || err2 != nil || !reflect.DeepEqual(now, before) || !reflect.DeepEqual(p, before) {
			t.Errorf("%v: returned %+v, stored %+v, want %+v", err, p, now, before)
		}
	}
	if before.Generations[0] != 0 || before.Running.Owner != "a" {
		t.Errorf("a change wrote to the row of another: %+v", before)
	}
}

// Who relies on a row that he knows fails when it is no longer there.
func TestUpdateFrom(t *testing.T) {
	st := memStore(t)
	var known store.Pointer
	for range 2 {
		next, err := UpdateFrom(t.Context(), st, known, func(p *store.Pointer) { p.Next++ })
		if err != nil {
			t.Fatal(err)
		}
		known = next
	}
	if _, err := Update(t.Context(), st, func(p *store.Pointer) (bool, error) { p.Settings = "{}"; return true, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := UpdateFrom(t.Context(), st, known, func(p *store.Pointer) { p.Next++ }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
	if p, err := st.Pointer(t.Context()); err != nil || p.Next != 2 || p.Counter != 3 {
		t.Errorf("pointer %+v, %v", p, err)
	}
}

// busy is a store whose row another process changes before each swap.
type busy struct {
	store.Store
	swaps int
}

func (b *busy) SwapPointer(context.Context, uint64, store.Pointer) error {
	b.swaps++
	return store.ErrConflict
}

// It does not go on for ever.
func TestUpdateGivesUp(t *testing.T) {
	b := &busy{Store: memStore(t)}
	_, err := Update(t.Context(), b, func(*store.Pointer) (bool, error) { return true, nil })
	if !errors.Is(err, store.ErrConflict) || b.swaps != attempts {
		t.Errorf("%v after %d attempts, want ErrConflict after %d", err, b.swaps, attempts)
	}
}
