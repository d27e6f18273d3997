package catalog

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

var errBroken = errors.New("broken")

// brokenLog fails at one of its calls, before or after it was done, and at all
// later ones.
type brokenLog struct {
	store.Store
	log    [2][]record.Marker
	left   int  // calls until it breaks
	silent bool // the call at which it breaks is done all the same
}

func (b *brokenLog) call(do func() error) error {
	b.left--
	if b.left > 0 || b.left == 0 && b.silent {
		if err := do(); err != nil {
			return err
		}
	}
	if b.left <= 0 {
		return errBroken
	}
	return nil
}

func (b *brokenLog) SwapPointer(ctx context.Context, expect uint64, p store.Pointer) error {
	return b.call(func() error { return b.Store.SwapPointer(ctx, expect, p) })
}

func (b *brokenLog) CreateGeneration(ctx context.Context, g uint32) error {
	return b.call(func() error { return b.Store.CreateGeneration(ctx, g) })
}

func (b *brokenLog) AppendMarker(ctx context.Context, partition int32, value []byte) error {
	return b.call(func() error {
		m, err := record.ParseMarker(value, view.CheckSettings)
		if err != nil {
			return err
		}
		// No processor may meet a marker whose table is not there.
		key := store.Key{Generation: m.Generation, View: 1, URL: "a.com"}
		if err := b.Cells(ctx, store.Shard{}, []store.Key{key}, nil); err != nil {
			return err
		}
		b.log[partition] = append(b.log[partition], m)
		return nil
	})
}

func fresh(t *testing.T) *pebble.Store {
	t.Helper()
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	topic := queue.TopicInfo{ID: "a", Partitions: 2, Starts: []int64{0, 0}, Ends: []int64{0, 0}}
	if _, _, err := EnsureEpoch(t.Context(), st, topic, view.Defaults()); err != nil {
		t.Fatal(err)
	}
	return st
}

// A change of settings that is cut short at any call is finished by the next
// start, whatever settings that one brings.
func TestEnsureSettingsCutShort(t *testing.T) {
	want := view.Defaults()
	want.DedupeEntries = 7
	other := want
	other.Operator = view.Settings{VisitsEntries: 9, ExactVisitors: 2048, Rules: 1}.String()
	for _, next := range []record.Settings{want, other} {
		for n := 1; n < 100; n++ {
			for _, silent := range []bool{false, true} {
				b := &brokenLog{Store: fresh(t), left: n, silent: silent}
				_, _, err := EnsureSettings(t.Context(), b, b, 2, want)
				whole := err == nil
				if !whole && !errors.Is(err, errBroken) {
					t.Fatalf("broken at call %d: %v", n, err)
				}
				b.left = 1 << 30
				g, _, err := EnsureSettings(t.Context(), b, b, 2, next)
				if err != nil {
					t.Fatalf("broken at call %d, then: %v", n, err)
				}
				check(t, b, g, next)
				if whole {
					return
				}
			}
		}
	}
}

func check(t *testing.T, b *brokenLog, g uint32, s record.Settings) {
	t.Helper()
	p, err := b.Pointer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := p.Generations
	if !p.Marked || p.Settings != s.String() || list[len(list)-1] != g || g >= p.Next || !slices.IsSorted(list) {
		t.Errorf("pointer is %+v, want generation %d with %v", p, g, s)
	}
	for part, markers := range b.log {
		newest := record.Marker{Generation: 0}
		for _, m := range markers {
			if m.Generation > newest.Generation {
				newest = m
			}
		}
		if newest.Generation != g || newest.Settings == nil || *newest.Settings != s {
			t.Errorf("partition %d has the markers %+v, want generation %d at the end", part, markers, g)
		}
	}
	again, began, err := EnsureSettings(t.Context(), b, b, 2, s)
	if err != nil || began || again != g {
		t.Errorf("once more: generation %d, begun %v, %v; want %d as it is", again, began, err, g)
	}
	if got, err := Settings(t.Context(), b, view.Defaults()); err != nil || got != s {
		t.Errorf("settings of the newest generation are %+v, %v", got, err)
	}
}

func TestEnsureSettingsBeforeTheEpoch(t *testing.T) {
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	b := &brokenLog{Store: st, left: 1 << 30}
	if _, _, err := EnsureSettings(t.Context(), b, b, 2, view.Defaults()); err == nil {
		t.Error("settings of a store without a generation")
	}
}
