package topologies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"speedlayer/store"
)

type cellID struct {
	key   store.Key
	shard store.Shard
}

type value struct {
	version int64
	bytes   []byte
}

// put is one put on its way to the store.
type put struct {
	id     cellID
	value  value
	flight *flight
}

// flight is the puts of one Apply.
type flight struct{ total, arrived int }

type versionID struct {
	id      cellID
	version int64
}

type chunkID struct {
	shard  store.Shard
	offset int64
	index  int
}

// tornStore keeps the contract of package store and nothing more: no batch is atomic,
// puts of one call arrive in any order, and when the caller dies, late or never.
type tornStore struct {
	w         *world
	cells     map[cellID]value
	put       map[versionID][]byte // every version that was ever put
	highest   map[cellID][]int64   // of a cell: versions put, ascending
	commits   map[store.Shard]store.Commit
	snapshots map[store.Shard]store.SnapshotName
	chunks    map[chunkID][]byte
	pointer   store.Pointer
	epochs    []store.Epoch
	created   map[uint32]bool
	inFlight  []*put
}

func newStore(w *world) *tornStore {
	return &tornStore{w: w, cells: map[cellID]value{}, put: map[versionID][]byte{}, highest: map[cellID][]int64{},
		commits: map[store.Shard]store.Commit{}, snapshots: map[store.Shard]store.SnapshotName{}, chunks: map[chunkID][]byte{}, created: map[uint32]bool{}}
}

// Apply sends the puts, waits until all have arrived, then writes the row.
func (s *tornStore) Apply(_ context.Context, b *store.Batch) error {
	f := &flight{}
	for i := range b.Cells {
		c := &b.Cells[i]
		if i > 0 && b.Cells[i-1].Key.Compare(c.Key) >= 0 {
			s.w.fail("cells of a batch are not in order: %v after %v", c.Key, b.Cells[i-1].Key)
		}
		if !s.created[c.Key.Generation] {
			return fmt.Errorf("%w: %d", store.ErrNoGeneration, c.Key.Generation)
		}
		s.check(b.Shard, c, b.Commit.Offset)
		s.inFlight = append(s.inFlight, &put{cellID{c.Key, b.Shard}, value{c.Version, slices.Clone(c.Value)}, f})
		f.total++
	}
	commit := store.Commit{Offset: b.Commit.Offset, Record: slices.Clone(b.Commit.Record)}
	for f.arrived < f.total {
		if err := s.w.pause(); err != nil {
			return err
		}
		if s.w.fault(30) {
			return errLost
		}
	}
	if err := s.w.pause(); err != nil {
		return err
	}
	if s.commits[b.Shard].Offset < commit.Offset {
		s.commits[b.Shard] = commit
		s.checkCommit(b.Shard, commit.Offset)
	}
	if s.w.fault(12) {
		return errLost
	}
	return s.w.pause()
}

// check: the same version is the same bytes, whoever writes it, and none is above the
// end of its batch.
func (s *tornStore) check(sh store.Shard, c *store.Cell, end int64) {
	s.w.cov.Puts++
	id := cellID{c.Key, sh}
	had, again := s.put[versionID{id, c.Version}]
	switch {
	case c.Version > end:
		s.w.fail("put of %v %v: version %d above the batch's end at %d", sh, c.Key, c.Version, end)
	case again && !bytes.Equal(had, c.Value):
		s.w.fail("put of %v %v: version %d is %x, and was %x", sh, c.Key, c.Version, c.Value, had)
	case !again:
		s.put[versionID{id, c.Version}] = slices.Clone(c.Value)
		at, _ := slices.BinarySearch(s.highest[id], c.Version)
		s.highest[id] = slices.Insert(s.highest[id], at, c.Version)
	default:
		s.w.cov.PutAgain++
	}
}

// checkCommit: a commit row stands for every cell below it that anybody has put.
func (s *tornStore) checkCommit(sh store.Shard, offset int64) {
	s.w.cov.Commits++
	for id, versions := range s.highest {
		at, found := slices.BinarySearch(versions, offset)
		if found {
			at++
		}
		if id.shard == sh && at > 0 && s.cells[id].version < versions[at-1] {
			s.w.fail("commit of %v at %d, but %v is at version %d, and had %d", sh, offset, id.key, s.cells[id].version, versions[at-1])
		}
	}
}

// deliver lets one put arrive: the highest version stays.
func (s *tornStore) deliver(i int) {
	p := s.inFlight[i]
	s.inFlight = slices.Delete(s.inFlight, i, i+1)
	p.flight.arrived++
	if have, ok := s.cells[p.id]; !ok || have.version < p.value.version {
		s.cells[p.id] = p.value
	} else if have.version > p.value.version {
		s.w.cov.PutLower++
	}
}

func (s *tornStore) Commit(_ context.Context, sh store.Shard) (store.Commit, bool, error) {
	if err := s.w.call(); err != nil {
		return store.Commit{}, false, err
	}
	c, ok := s.commits[sh]
	return c, ok, nil
}

func (s *tornStore) Cells(_ context.Context, sh store.Shard, keys []store.Key, fn func(int, int64, []byte) error) error {
	if err := s.w.call(); err != nil {
		return err
	}
	for i, k := range keys {
		if s.w.fault(100) {
			return errLost
		}
		if c, ok := s.cells[cellID{k, sh}]; ok {
			s.w.cov.Reads++
			if err := fn(i, c.version, slices.Clone(c.bytes)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *tornStore) PutChunk(_ context.Context, sh store.Shard, offset int64, index int, chunk []byte) error {
	if err := s.w.call(); err != nil {
		return err
	}
	s.chunks[chunkID{sh, offset, index}] = slices.Clone(chunk)
	return nil
}

func (s *tornStore) NameSnapshot(_ context.Context, sh store.Shard, n store.SnapshotName) error {
	if err := s.w.call(); err != nil {
		return err
	}
	if have, named := s.snapshots[sh]; named && have.Offset >= n.Offset {
		return nil
	}
	if s.commits[sh].Offset < n.Offset {
		return store.ErrAboveCommit
	}
	s.snapshots[sh] = n
	maps.DeleteFunc(s.chunks, func(id chunkID, _ []byte) bool { return id.shard == sh && id.offset < n.Offset })
	return nil
}

func (s *tornStore) Snapshot(_ context.Context, sh store.Shard) (store.SnapshotName, bool, error) {
	if err := s.w.call(); err != nil {
		return store.SnapshotName{}, false, err
	}
	n, ok := s.snapshots[sh]
	return n, ok, nil
}

func (s *tornStore) Chunk(_ context.Context, sh store.Shard, offset int64, index int, dst []byte) ([]byte, error) {
	if err := s.w.call(); err != nil {
		return nil, err
	}
	c, ok := s.chunks[chunkID{sh, offset, index}]
	if !ok {
		return nil, store.ErrNoChunk
	}
	return append(dst, c...), nil
}

func (s *tornStore) Epochs(context.Context) ([]store.Epoch, error) {
	return slices.Clone(s.epochs), nil
}

func (s *tornStore) AppendEpoch(_ context.Context, e store.Epoch) error {
	if err := e.Follows(len(s.epochs)); err != nil {
		return err
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
	s.created[g] = true
	return nil
}

var errNot = errors.New("topologies: not a part of these worlds")

func (s *tornStore) DropGeneration(context.Context, uint32) error { return errNot }
func (s *tornStore) Stats(context.Context) (store.Stats, error)   { return store.Stats{}, errNot }
func (s *tornStore) Row(context.Context, string) ([]byte, error)  { return nil, errNot }
func (s *tornStore) SwapRow(context.Context, string, []byte, []byte) (bool, error) {
	return false, errNot
}
func (s *tornStore) Close() error { return nil }
