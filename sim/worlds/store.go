package worlds

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"speedlayer/store"
)

// errLost is what a store answers when a call may or may not have worked.
var errLost = errors.New("worlds: the answer was lost")

type cellID struct {
	key   store.Key
	shard store.Shard
}

type cellValue struct {
	version int64
	value   []byte
}

// place is where a put lies: the whole of a cell, or its n-th delta.
type place struct {
	id    cellID
	delta int32
}

// flight is the puts of one Apply.
type flight struct {
	author    *task
	end       int64 // of its batch
	total     int
	delivered int
}

// put is one put on its way to the store.
type put struct {
	at     place
	cell   cellValue
	flight *flight
}

type chunkID struct {
	shard  store.Shard
	offset int64
	index  int
}

// tornStore keeps the contract of package store and nothing more: no batch is
// atomic, puts of one call arrive in any order, and when the caller dies, late
// or never. Everything happens between two steps of the world, so there are no
// locks.
type tornStore struct {
	w        *world
	cells    map[place]cellValue
	commits  map[store.Shard]store.Commit
	names    map[store.Shard]store.SnapshotName
	chunks   map[chunkID][]byte
	pointer  store.Pointer
	epochs   []store.Epoch
	created  map[uint32]bool
	dropped  map[uint32]bool
	inFlight []*put
}

func newTornStore(w *world) *tornStore {
	return &tornStore{w: w, cells: map[place]cellValue{}, commits: map[store.Shard]store.Commit{},
		names: map[store.Shard]store.SnapshotName{}, chunks: map[chunkID][]byte{},
		created: map[uint32]bool{}, dropped: map[uint32]bool{}}
}

// Apply sends the puts, waits until all have arrived, then writes the row. They
// are compared with the oracle as they are sent: one that never arrives must be
// right as well.
func (s *tornStore) Apply(_ context.Context, b *store.Batch) error {
	f := &flight{author: s.w.running, end: b.Commit.Offset}
	for i := range b.Cells {
		c := &b.Cells[i]
		if i > 0 && b.Cells[i-1].Key.Compare(c.Key) >= 0 {
			s.w.fail("cells of a batch are not in order: %v after %v", c.Key, b.Cells[i-1].Key)
		}
		switch {
		case s.dropped[c.Key.Generation]:
			s.w.saw(PutIntoDroppedGeneration)
			continue
		case !s.created[c.Key.Generation]:
			return fmt.Errorf("%w: %d", store.ErrNoGeneration, c.Key.Generation)
		}
		s.w.checkPut(b.Shard, c, b.Commit.Offset)
		p := &put{at: place{cellID{c.Key, b.Shard}, c.Delta}, cell: cellValue{c.Version, slices.Clone(c.Value)}, flight: f}
		s.inFlight = append(s.inFlight, p)
		f.author.put[c.Key] = true
		f.total++
	}
	commit := store.Commit{Offset: b.Commit.Offset, Record: slices.Clone(b.Commit.Record)}
	s.w.checkRecord(b.Shard, commit)
	if s.w.tracing {
		s.w.trace("puts %d cells, to commit %v at %d", f.total, b.Shard, commit.Offset)
		for i := range b.Cells {
			s.w.trace("    %s = %s", keyText(b.Cells[i].Key), valueText(&b.Cells[i]))
		}
	}
	for f.delivered < f.total {
		if err := s.w.pause("a put"); err != nil {
			return err
		}
		if s.w.fault(30) {
			s.w.saw(BatchOfferedAgain)
			return errLost
		}
	}
	if err := s.w.pause("its puts, before the commit row"); err != nil {
		return err
	}
	if s.commits[b.Shard].Offset < commit.Offset {
		s.w.trace("commits %v at %d", b.Shard, commit.Offset)
		s.commits[b.Shard] = commit
		s.w.checkCommit(b.Shard, commit.Offset)
	} else {
		s.w.saw(CommitLowerThanStored)
	}
	if s.w.fault(12) {
		s.w.saw(BatchOfferedAgain)
		return errLost
	}
	return s.w.pause("the commit's answer")
}

// deliver lets one put arrive: the highest version stays.
func (s *tornStore) deliver(i int) {
	p := s.inFlight[i]
	s.inFlight = slices.Delete(s.inFlight, i, i+1)
	p.flight.delivered++
	if s.w.tracing {
		s.w.trace("a put arrives: %s of version %d", keyText(p.at.id.key), p.cell.version)
	}
	if p.flight.author.over {
		s.w.saw(PutOfTheDead)
	}
	if s.dropped[p.at.id.key.Generation] {
		s.w.saw(PutIntoDroppedGeneration)
		return
	}
	if s.commits[p.at.id.shard].Offset > p.flight.end {
		s.w.saw(PutBehindNewerCommit)
	}
	have, ok := s.cells[p.at]
	switch {
	case !ok || have.version < p.cell.version:
		s.cells[p.at] = p.cell
		s.w.checkMerged(p.at.id)
	case have.version > p.cell.version:
		s.w.saw(PutLowerThanStored)
	default:
		s.w.saw(PutSameVersionAgain)
	}
}

func (s *tornStore) Commit(_ context.Context, sh store.Shard) (store.Commit, bool, error) {
	if err := s.w.call("reading the commit"); err != nil {
		return store.Commit{}, false, err
	}
	c, ok := s.commits[sh]
	return c, ok, nil
}

func (s *tornStore) Cells(_ context.Context, sh store.Shard, keys []store.Key, fn func(int, int64, []byte) error) error {
	if err := s.w.call("reading cells"); err != nil {
		return err
	}
	broken := s.w.fault(12) // after some of them
	for i, k := range keys {
		if broken && s.w.below(len(keys)) == i {
			return errLost
		}
		if s.w.below(8) == 7 {
			if err := s.w.pause("reading a cell"); err != nil {
				return err
			}
		}
		if !s.created[k.Generation] && !s.dropped[k.Generation] {
			return fmt.Errorf("%w: %d", store.ErrNoGeneration, k.Generation)
		}
		if t := s.w.running; t != nil && t.put[k] {
			s.w.saw(CellReadAgain)
		}
		if c, ok := s.cell(cellID{k, sh}); ok {
			if err := fn(i, c.version, slices.Clone(c.value)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *tornStore) PutChunk(_ context.Context, sh store.Shard, offset int64, index int, chunk []byte) error {
	if err := s.w.call("putting a chunk"); err != nil {
		return err
	}
	s.chunks[chunkID{sh, offset, index}] = slices.Clone(chunk)
	return nil
}

func (s *tornStore) NameSnapshot(_ context.Context, sh store.Shard, n store.SnapshotName) error {
	if err := s.w.call("naming the snapshot"); err != nil {
		return err
	}
	have, named := s.names[sh]
	switch {
	case s.commits[sh].Offset < n.Offset:
		s.w.saw(SnapshotAboveCommitRejected)
		return store.ErrAboveCommit
	case named && have.Offset >= n.Offset:
		return nil
	}
	for i := range n.Chunks {
		if _, ok := s.chunks[chunkID{sh, n.Offset, i}]; !ok {
			s.w.fail("snapshot of %v at %d is named before its chunk %d is there", sh, n.Offset, i)
			return store.ErrNoChunk
		}
	}
	s.names[sh] = n
	s.w.trace("names the snapshot of %v at %d", sh, n.Offset)
	for id := range maps.Keys(s.chunks) {
		if id.shard == sh && id.offset < n.Offset {
			delete(s.chunks, id)
		}
	}
	return nil
}

func (s *tornStore) Snapshot(_ context.Context, sh store.Shard) (store.SnapshotName, bool, error) {
	if err := s.w.call("reading the snapshot's name"); err != nil {
		return store.SnapshotName{}, false, err
	}
	n, ok := s.names[sh]
	return n, ok, nil
}

func (s *tornStore) Chunk(_ context.Context, sh store.Shard, offset int64, index int, dst []byte) ([]byte, error) {
	if err := s.w.call("reading a chunk"); err != nil {
		return nil, err
	}
	c, ok := s.chunks[chunkID{sh, offset, index}]
	if !ok {
		s.w.saw(SnapshotGoneWhileLoading)
		return nil, store.ErrNoChunk
	}
	return append(dst, c...), nil
}
