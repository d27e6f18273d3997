package days

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"speedlayer/store"
)

var errAway = errors.New("days: the store is away")

// slowStore is a store behind a bad network: it takes its time, fails before or
// after the work, and is away for minutes. One runner has one; when the runner
// is killed, nothing of it comes through any more.
type slowStore struct {
	store.Store
	counts *counts
	mu     struct {
		sync.Mutex
		rng       *rand.Rand
		awayUntil time.Time
		killed    bool
	}
}

func newSlowStore(st store.Store, rng *rand.Rand, c *counts) *slowStore {
	s := &slowStore{Store: st, counts: c}
	s.mu.rng = rng
	return s
}

// plan decides how long a call takes and whether it fails before or after the
// work.
func (s *slowStore) plan() (pause time.Duration, before, behind error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.killed {
		return 0, store.ErrClosed, nil
	}
	pause = time.Duration(s.mu.rng.IntN(20)) * time.Millisecond
	switch n := s.mu.rng.IntN(400); {
	case time.Now().Before(s.mu.awayUntil):
		s.counts.add("calls while the store was away", 1)
		return pause, errAway, nil
	case n == 0:
		s.mu.awayUntil = time.Now().Add(time.Duration(1+s.mu.rng.IntN(180)) * time.Second)
		return pause, errAway, nil
	case n < 8:
		s.counts.add("slow calls of the store", 1)
		return time.Duration(s.mu.rng.IntN(20_000)) * time.Millisecond, nil, nil
	case n < 16:
		s.counts.add("calls of the store refused", 1)
		return pause, errAway, nil
	case n < 24:
		s.counts.add("answers of the store lost", 1)
		return pause, nil, errAway
	}
	return pause, nil, nil
}

func (s *slowStore) call(ctx context.Context, do func() error) error {
	pause, before, behind := s.plan()
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	if s.mu.killed { // while it slept
		before = store.ErrClosed
	}
	s.mu.Unlock()
	if before != nil {
		return before
	}
	return errors.Join(do(), behind)
}

func (s *slowStore) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.killed = true
}

func (s *slowStore) Apply(ctx context.Context, b *store.Batch) error {
	return s.call(ctx, func() error { return s.Store.Apply(ctx, b) })
}

func (s *slowStore) Commit(ctx context.Context, id store.Shard) (c store.Commit, found bool, err error) {
	err = s.call(ctx, func() error { c, found, err = s.Store.Commit(ctx, id); return err })
	return c, found, err
}

func (s *slowStore) Cells(ctx context.Context, id store.Shard, keys []store.Key, fn func(int, int64, []byte) error) error {
	return s.call(ctx, func() error { return s.Store.Cells(ctx, id, keys, fn) })
}

func (s *slowStore) PutChunk(ctx context.Context, id store.Shard, offset int64, index int, chunk []byte) error {
	return s.call(ctx, func() error { return s.Store.PutChunk(ctx, id, offset, index, chunk) })
}

func (s *slowStore) NameSnapshot(ctx context.Context, id store.Shard, n store.SnapshotName) error {
	return s.call(ctx, func() error { return s.Store.NameSnapshot(ctx, id, n) })
}

func (s *slowStore) Snapshot(ctx context.Context, id store.Shard) (n store.SnapshotName, found bool, err error) {
	err = s.call(ctx, func() error { n, found, err = s.Store.Snapshot(ctx, id); return err })
	return n, found, err
}

func (s *slowStore) Chunk(ctx context.Context, id store.Shard, offset int64, index int, dst []byte) (b []byte, err error) {
	err = s.call(ctx, func() error { b, err = s.Store.Chunk(ctx, id, offset, index, dst); return err })
	return b, err
}

// counts is how often things happened. Safe for concurrent use.
type counts struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counts) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what] += n
}
