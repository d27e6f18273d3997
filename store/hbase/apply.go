package hbase

import (
	"context"
	"fmt"
	"math"

	"github.com/tsuna/gohbase/pb"
	"golang.org/x/sync/errgroup"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// Apply implements store.Writer: it puts all cells in parallel requests, and the
// commit row after they are acknowledged. A crash in between leaves cells without a
// commit, which the next processor writes again: the same versions with the same
// bytes, or higher ones. The cells of a zombie are below the stored ones, so nobody
// sees them.
func (s *Store) Apply(ctx context.Context, b *store.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.committedAt(b.Shard) >= b.Commit.Offset {
		return nil // its cells, or newer ones, are already stored
	}
	sections, err := s.sections(ctx, b.Cells)
	if err != nil {
		return err
	}
	for _, cells := range sections {
		if err := s.putCells(ctx, b.Shard, cells); err != nil {
			return fmt.Errorf("batch of %v up to %d: %w", b.Shard, b.Commit.Offset, err)
		}
	}
	if err := s.client.Put(ctx, s.names.control(), shardRow(commitPrefix, b.Shard), controlFamily,
		client.Columns{recordColumn: b.Commit.Record}, uint64(b.Commit.Offset)); err != nil {
		return fmt.Errorf("commit of %v at %d: %w", b.Shard, b.Commit.Offset, err)
	}
	s.setCommitted(b.Shard, b.Commit.Offset)
	return nil
}

// Deltas implements store.TakesDeltas. Each delta has a column, which keeps the
// highest version. Package parts merges them.
func (s *Store) Deltas() int { return deltas }

// sections splits the cells of a batch by generation and leaves out dropped
// generations. If one was never created, nothing is written yet.
func (s *Store) sections(ctx context.Context, cells []store.Cell) (all [][]store.Cell, err error) {
	for begin, i := 0, 1; i <= len(cells); i++ {
		g := cells[begin].Key.Generation
		if i < len(cells) && cells[i].Key.Generation == g {
			continue
		}
		state, err := s.state(ctx, g)
		switch {
		case err != nil:
			return nil, err
		case state == "":
			return nil, fmt.Errorf("%w: %d", store.ErrNoGeneration, g)
		case state != stateDropped:
			all = append(all, cells[begin:i])
		}
		begin = i
	}
	return all, nil
}

// putCells makes the cells of one generation durable, or finds that it was dropped.
func (s *Store) putCells(ctx context.Context, shard store.Shard, cells []store.Cell) error {
	g := cells[0].Key.Generation
	e := encoders.Get().(*encoder)
	if err := e.encode(cells, shard, s.opts.Regions); err != nil {
		return err
	}
	table := s.names.cells(g)
	var all errgroup.Group // not a group that ends with the first error: no request is abandoned without need
	all.SetLimit(s.opts.Parallel)
	left := s.client.Abandoned()
	for _, actions := range e.requests() {
		all.Go(func() error {
			err := s.client.Many(ctx, table, actions, nil)
			if err == nil {
				s.put.Add(int64(len(actions)))
			}
			return err
		})
	}
	err := all.Wait()
	if s.client.Abandoned() == left {
		encoders.Put(e)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	gone, err := s.whyFailed(ctx, g, err)
	if gone {
		return nil
	}
	return err
}

// committedAt returns the highest commit row of a shard seen so far, or -1 if there
// was none. By now the row may be higher, but never lower.
func (s *Store) committedAt(id store.Shard) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset, ok := s.mu.committed[id]; ok {
		return offset
	}
	return -1
}

func (s *Store) setCommitted(id store.Shard, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.mu.committed[id]; !ok || have < offset {
		s.mu.committed[id] = offset
	}
}

// Commit implements store.Writer.
func (s *Store) Commit(ctx context.Context, id store.Shard) (c store.Commit, found bool, err error) {
	cell, err := s.client.Value(ctx, s.names.control(), shardRow(commitPrefix, id), controlFamily, recordColumn)
	if err != nil {
		return c, false, fmt.Errorf("commit of %v: %w", id, err)
	}
	if cell == nil {
		return c, false, nil
	}
	timestamp := (*pb.Cell)(cell).GetTimestamp()
	if timestamp > math.MaxInt64 {
		return c, false, fmt.Errorf("%w: commit of %v at %d", store.ErrCorrupt, id, timestamp)
	}
	c = store.Commit{Offset: int64(timestamp), Record: cell.Value}
	s.setCommitted(id, c.Offset)
	return c, true, nil
}
