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

// put is one put on its way to the store.
type put struct {
	id        cellID
	cell      cellValue
	delivered bool
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
	cells    map[cellID]cellValue
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
	return &tornStore{w: w, cells: map[cellID]cellValue{}, commits: map[store.Shard]store.Commit{},
		names: map[store.Shard]store.SnapshotName{}, chunks: map[chunkID][]byte{},
		created: map[uint32]bool{}, dropped: map[uint32]bool{}}
}

// Apply sends the puts, waits until all have arrived, then writes the row.
func (s *tornStore) Apply(_ context.Context, b *store.Batch) error {
	var mine []*put
	for _, c := range b.Cells {
		switch {
		case s.dropped[c.Key.Generation]:
			continue
		case !s.created[c.Key.Generation]:
			return fmt.Errorf("%w: %d", store.ErrNoGeneration, c.Key.Generation)
		}
		p := &put{id: cellID{c.Key, b.Shard}, cell: cellValue{c.Version, slices.Clone(c.Value)}}
		mine = append(mine, p)
	}
	commit := store.Commit{Offset: b.Commit.Offset, Record: slices.Clone(b.Commit.Record)}
	s.inFlight = append(s.inFlight, mine...)
	for {
		if err := s.w.pause("put"); err != nil {
			return err
		}
		if !slices.ContainsFunc(mine, func(p *put) bool { return !p.delivered }) {
			break
		}
		if s.w.chance(12) {
			return errLost
		}
	}
	if s.commits[b.Shard].Offset < commit.Offset {
		s.w.checkCommit(b.Shard, commit)
		s.commits[b.Shard] = commit
	}
	if s.w.chance(12) {
		return errLost
	}
	return s.w.pause("commit answered")
}

// deliver lets one put arrive: the highest version stays.
func (s *tornStore) deliver(p *put) {
	p.delivered = true
	s.inFlight = slices.DeleteFunc(s.inFlight, func(q *put) bool { return q == p })
	if s.dropped[p.id.key.Generation] {
		return
	}
	s.w.checkPut(p)
	if have, ok := s.cells[p.id]; !ok || have.version < p.cell.version {
		s.cells[p.id] = p.cell
	}
}

func (s *tornStore) Commit(_ context.Context, sh store.Shard) (store.Commit, bool, error) {
	if err := s.w.pause("read commit"); err != nil {
		return store.Commit{}, false, err
	}
	c, ok := s.commits[sh]
	return c, ok, nil
}

func (s *tornStore) Cells(_ context.Context, sh store.Shard, keys []store.Key, fn func(int, int64, []byte) error) error {
	for i, k := range keys {
		if err := s.w.pause("read cell"); err != nil {
			return err
		}
		if c, ok := s.cells[cellID{k, sh}]; ok {
			if err := fn(i, c.version, c.value); err != nil {
				return err
			}
		}
		if s.w.chance(40) {
			return errLost
		}
	}
	return nil
}

func (s *tornStore) PutChunk(_ context.Context, sh store.Shard, offset int64, index int, chunk []byte) error {
	if err := s.w.pause("put chunk"); err != nil {
		return err
	}
	s.chunks[chunkID{sh, offset, index}] = slices.Clone(chunk)
	return nil
}

func (s *tornStore) NameSnapshot(_ context.Context, sh store.Shard, n store.SnapshotName) error {
	if err := s.w.pause("name snapshot"); err != nil {
		return err
	}
	if s.commits[sh].Offset < n.Offset {
		return store.ErrAboveCommit
	}
	for i := range n.Chunks {
		if _, ok := s.chunks[chunkID{sh, n.Offset, i}]; !ok {
			return store.ErrNoChunk
		}
	}
	if have, ok := s.names[sh]; ok && have.Offset >= n.Offset {
		return nil
	}
	s.names[sh] = n
	for id := range maps.Keys(s.chunks) {
		if id.shard == sh && id.offset < n.Offset {
			delete(s.chunks, id)
		}
	}
	return nil
}

func (s *tornStore) Snapshot(_ context.Context, sh store.Shard) (store.SnapshotName, bool, error) {
	if err := s.w.pause("read snapshot's name"); err != nil {
		return store.SnapshotName{}, false, err
	}
	n, ok := s.names[sh]
	return n, ok, nil
}

func (s *tornStore) Chunk(_ context.Context, sh store.Shard, offset int64, index int, dst []byte) ([]byte, error) {
	if err := s.w.pause("read chunk"); err != nil {
		return nil, err
	}
	c, ok := s.chunks[chunkID{sh, offset, index}]
	if !ok {
		return nil, store.ErrNoChunk
	}
	return append(dst, c...), nil
}

func (s *tornStore) Epochs(context.Context) ([]store.Epoch, error) { return slices.Clone(s.epochs), nil }

func (s *tornStore) AppendEpoch(_ context.Context, e store.Epoch) error {
	if int(e.Number) != len(s.epochs) {
		return store.ErrConflict
	}
	s.epochs = append(s.epochs, e)
	return nil
}

func (s *tornStore) Pointer(context.Context) (store.Pointer, error) { return s.pointer, nil }

func (s *tornStore) SwapPointer(_ context.Context, expect uint64, p store.Pointer) error {
	if s.pointer.Counter != expect {
		return store.ErrConflict
	}
	s.pointer = p
	return nil
}

func (s *tornStore) CreateGeneration(_ context.Context, g uint32) error {
	if s.dropped[g] {
		return store.ErrDropped
	}
	s.created[g] = true
	return nil
}

func (s *tornStore) DropGeneration(_ context.Context, g uint32) error {
	s.dropped[g] = true
	maps.DeleteFunc(s.cells, func(id cellID, _ cellValue) bool { return id.key.Generation == g })
	return nil
}

func (s *tornStore) Stats(context.Context) (store.Stats, error) { return store.Stats{}, nil }
func (s *tornStore) Close() error                               { return nil }
