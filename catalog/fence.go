package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"speedlayer/store"
)

// A log epoch of the same topic that ends while processes work in it must end
// for all of them: an event that the old shard and the new one both count is
// counted twice. So an epoch is closed first, by a row that all of them look at
// (EnsureEpochShared), and the next one begins a while later, from where the
// commits then stand for good. These are the times of that:
const (
	// fenceEvery is how often a runner looks whether its epoch is still the
	// newest.
	fenceEvery = time.Second
	// fenceTrust is how long after the last look that found it so writes may
	// begin: long enough to commit what was in memory when it ended.
	fenceTrust = 5 * time.Second
	// EpochPause is how long after an epoch was closed the next one begins:
	// fenceTrust, and the time that a write which began before may take.
	EpochPause = 15 * time.Second
)

// ErrEpochEnded: the log epoch that a process works in is no longer the newest one,
// or the topic is no longer the epoch's. Settle in which to work (EnsureEpoch), and
// begin there.
var ErrEpochEnded = errors.New("catalog: the log epoch has ended")

// Fence keeps a runner from writing to the shards of a log epoch that has ended.
// A process that was stopped for a while looks before it writes. What remains is
// a write that was stopped half-way, between its look and the network, for
// longer than EpochPause. Safe for concurrent use.
type Fence struct {
	store store.Control
	epoch uint32
	now   func() time.Time

	mu struct {
		sync.Mutex
		at time.Time // when a look that found the epoch to be the newest began
	}
}

// NewFence returns a fence of an epoch; nothing is trusted before the first look.
func NewFence(st store.Control, epoch uint32) *Fence {
	return &Fence{store: st, epoch: epoch, now: time.Now}
}

// look reads the epochs. ErrEpochEnded when there is a newer one.
func (f *Fence) look(ctx context.Context) error {
	began := f.now() // before the answer: it may be long on its way
	epochs, err := f.store.Epochs(ctx)
	if err != nil {
		return fmt.Errorf("looking for a newer log epoch: %w", err)
	}
	if n := len(epochs); n > 0 && epochs[n-1].Number > f.epoch {
		last := &epochs[n-1]
		return fmt.Errorf("%w: %d follows %d: %s", ErrEpochEnded, last.Number, f.epoch, last.Reason)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if began.After(f.mu.at) {
		f.mu.at = began
	}
	return nil
}

// Allow reports whether a write may begin now.
func (f *Fence) Allow(ctx context.Context) error {
	f.mu.Lock()
	trusted := !f.mu.at.IsZero() && f.now().Sub(f.mu.at) < fenceTrust
	f.mu.Unlock()
	if trusted {
		return nil
	}
	return f.look(ctx)
}

// Watch looks until ctx ends, and returns ErrEpochEnded when the epoch has. A
// store that is away is no reason to stop: nothing can be written to it either.
func (f *Fence) Watch(ctx context.Context) error {
	tick := time.NewTicker(fenceEvery)
	defer tick.Stop()
	for {
		if err := f.look(ctx); errors.Is(err, ErrEpochEnded) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
