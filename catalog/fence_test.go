package catalog

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"speedlayer/store"
)

// epochRows are the epochs of a store that is away at times.
type epochRows struct {
	store.Control
	mu   sync.Mutex
	rows []store.Epoch
	err  error
}

func (e *epochRows) Epochs(context.Context) ([]store.Epoch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rows, e.err
}

// set changes what is answered from now on.
func (e *epochRows) set(err error, rows ...store.Epoch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err, e.rows = err, rows
}

// A write may begin while a look is fresh, or when a new one allows it: never when
// a newer epoch is there, nor when nothing is known.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &epochRows{rows: []store.Epoch{{Number: 0, Partitions: 2}}}
		f := NewFence(rows, 0)
		away := errors.New("away")
		rows.set(away)
		if err := f.Allow(t.Context()); !errors.Is(err, away) {
			t.Errorf("nothing is known: %v", err)
		}
		rows.set(nil, store.Epoch{Number: 0, Partitions: 2})
		if err := f.Allow(t.Context()); err != nil {
			t.Error(err)
		}
		rows.set(nil, store.Epoch{Number: 0, Partitions: 2}, store.Epoch{Number: 1, Reason: "for a test"})
		time.Sleep(fenceTrust - time.Millisecond)
		if err := f.Allow(t.Context()); err != nil {
			t.Errorf("what was in memory may be committed: %v", err)
		}
		time.Sleep(time.Millisecond)
		if err := f.Allow(t.Context()); !errors.Is(err, ErrEpochEnded) {
			t.Errorf("the look is old and the epoch has ended: %v", err)
		}
	})
}

// Who works looks by itself; a store that is away ends nothing.
func TestFenceWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := &epochRows{rows: []store.Epoch{{Number: 0, Partitions: 2}}, err: errors.New("away")}
		f := NewFence(rows, 0)
		ended := make(chan error, 1)
		go func() { ended <- f.Watch(t.Context()) }()
		time.Sleep(10 * fenceEvery)
		rows.set(nil, store.Epoch{Number: 0, Partitions: 2})
		time.Sleep(10 * fenceEvery)
		if err := f.Allow(t.Context()); err != nil {
			t.Error(err)
		}
		rows.set(nil, store.Epoch{Number: 0, Partitions: 2}, store.Epoch{Number: 1})
		begin := time.Now()
		if err := <-ended; !errors.Is(err, ErrEpochEnded) {
			t.Error(err)
		}
		if took := time.Since(begin); took > fenceEvery {
			t.Errorf("noticed after %v", took)
		}
	})
}
