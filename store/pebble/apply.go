package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/store"
)

// Apply writes the cells and the commit row as one synced batch.
//
// Apply does not compare versions of cells. Every stored cell of a shard is at or
// below the commit of the shard, because they came in one batch. A processor whose
// batch ends above the stored commit began at a commit at or below it. So for each
// cell of the batch it has seen every event that the stored version has: its
// version is the same, with the same bytes (law 2), or newer. The batch of a zombie
// that ends at or below the commit is left out as a whole.
//
// A batch with cells that add is taken only if the shard's commit is the one that it
// follows. Then what it adds is what came after that commit, and nothing else has
// added it. A batch that is offered again after an error is not added twice: Pebble
// returns errors before it begins to commit, and later ones end the process.
//
// The same holds for a delta. If the stored set has events that the processor did
// not write itself, the processor had read them. So the merged set is what the processor
// has in memory.
func (s *Store) Apply(ctx context.Context, b *store.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.applying.RLock()
	defer s.applying.RUnlock()
	sh, err := s.shard(b.Shard)
	if err != nil {
		return err
	}
	sh.Lock() // one batch of a shard at a time; others share the sync
	defer sh.Unlock()
	if b.Commit.Offset <= sh.committed {
		return nil
	}
	if sh.committed >= 0 && sh.committed != b.After && slices.ContainsFunc(b.Cells, func(c store.Cell) bool { return c.Adds }) {
		return fmt.Errorf("%w: %v is committed at %d, the batch follows %d", store.ErrSuperseded, b.Shard, sh.committed, b.After)
	}
	batch := s.db.NewBatchWithSize(sh.batchBytes + sh.batchBytes/4)
	defer batch.Close()
	if err := s.addCells(batch, b); err != nil {
		return err
	}
	if err := batch.Set(shardKey(commitPrefix, b.Shard), appendCommit(nil, b.Commit), nil); err != nil {
		return err
	}
	sh.batchBytes = batch.Len()
	s.start.wrote(sh.batchBytes)
	if err := batch.Commit(s.sync); err != nil {
		return fmt.Errorf("batch of %v up to %d: %w", b.Shard, b.Commit.Offset, err)
	}
	sh.committed = b.Commit.Offset
	return nil
}

// Additions implements store.TakesAdditions.
func (s *Store) Additions() bool { return true }

// Deltas implements store.TakesDeltas.
func (s *Store) Deltas() int { return store.Unlimited }

// addCells adds the cells of existing generations to the batch without an
// intermediate copy.
func (s *Store) addCells(batch *pebble.Batch, b *store.Batch) error {
	var checked uint32
	var in generation
	for i := range b.Cells {
		c := &b.Cells[i]
		if i == 0 || c.Key.Generation != checked {
			checked = c.Key.Generation
			var known bool
			if in, known = s.generation(checked); !known {
				return fmt.Errorf("%w: %d", store.ErrNoGeneration, checked)
			}
		}
		if !in.live {
			continue
		}
		var version [binary.MaxVarintLen64]byte
		v := binary.AppendUvarint(version[:0], uint64(c.Version))
		put := batch.SetDeferred
		if c.Delta > 0 {
			put = batch.MergeDeferred
		}
		op := put(cellHead+len(c.Key.URL)+cellTail, len(v)+len(c.Value))
		appendCellKey(op.Key[:0], &c.Key, b.Shard)
		copy(op.Value[copy(op.Value, v):], c.Value)
		if err := op.Finish(); err != nil {
			return err
		}
		if !in.indexed || !indexes(&c.Key) {
			continue
		}
		op = put(domainHead+len(c.Key.URL)+domainTail, len(v)+len(c.Value))
		appendDomainKey(op.Key[:0], &c.Key, b.Shard)
		copy(op.Value[copy(op.Value, v):], c.Value)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	return nil
}

// shard returns what is known of a shard. It reads the row the first time.
func (s *Store) shard(id store.Shard) (*shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, store.ErrClosed
	}
	if sh := s.mu.shards[id]; sh != nil {
		return sh, nil
	}
	sh := &shard{committed: -1, batchBytes: 4 << 10}
	c, found, err := commitRow(s.db, id)
	if err != nil {
		return nil, err
	}
	if found {
		sh.committed = c.Offset
	}
	s.mu.shards[id] = sh
	return sh, nil
}

// Commit implements store.Writer.
func (s *Store) Commit(_ context.Context, id store.Shard) (store.Commit, bool, error) {
	if s.isClosed() {
		return store.Commit{}, false, store.ErrClosed
	}
	c, found, err := commitRow(s.db, id)
	return c, found, s.named(err)
}

func commitRow(r pebble.Reader, id store.Shard) (c store.Commit, found bool, err error) {
	found, err = get(r, shardKey(commitPrefix, id), func(value []byte) error {
		c, err = parseCommit(value)
		return err
	})
	return c, found, err
}
