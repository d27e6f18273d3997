package storetest

import (
	"errors"

	"speedlayer/crdt"
	"speedlayer/store"
)

// additions tests stores that take cells that add: each batch adds once, whoever
// offers it and however often, and one that does not follow the commit adds nothing.
func (s *suite) additions() {
	if !store.Additions(s.st) {
		s.Log("this store takes no additions, and reports so: nothing to hold")
		return
	}
	adds := func(after, until int64, n uint64) *store.Batch {
		b := batch(shard0, until, store.Cell{Key: key("a/", 0), Version: until, Value: crdt.AppendCountDelta(nil, n), Delta: 1, Adds: true})
		b.After = after
		return b
	}
	total := func(version int64, n uint64) {
		s.Helper()
		s.want(shard0, "a/", 0, version, string(crdt.AppendCount(nil, n)))
	}
	s.apply(adds(0, 10, 3)) // no cell is below it, and no commit
	total(10, 3)
	s.apply(adds(0, 10, 3)) // offered again
	s.apply(adds(0, 7, 2))  // a zombie's
	total(10, 3)
	s.apply(adds(10, 25, 1<<40))
	total(25, 3+1<<40)
	for _, zombie := range []*store.Batch{adds(10, 30, 5), adds(0, 30, 5), adds(26, 30, 5)} {
		if err := s.st.Apply(s.ctx, zombie); !errors.Is(err, store.ErrSuperseded) {
			s.Errorf("a batch after %d, with the commit at 25: %v", zombie.After, err)
		}
	}
	total(25, 3+1<<40)
	whole := batch(shard0, 30, store.Cell{Key: key("a/", 0), Version: 30, Value: crdt.AppendCount(nil, 7)})
	s.apply(whole) // cells that do not add may skip commits
	total(30, 7)
	for i := int64(30); i < 2030; i++ {
		s.apply(adds(i, i+1, 2))
		if s.h.Reopen != nil && i%500 == 0 {
			s.st = s.h.Reopen(s.T, s.st)
			total(i+1, 7+2*uint64(i-29))
		}
	}
	total(2030, 7+4000)
	if c, _, err := s.st.Commit(s.ctx, shard0); err != nil || c.Offset != 2030 {
		s.Errorf("the commit is at %d: %v", c.Offset, err)
	}
}
