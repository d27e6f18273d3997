package cassandra

import (
	"context"
	"fmt"
	"unicode/utf8"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"speedlayer/store"
)

// Bounds of one request, and of a cell. Cassandra refuses a request of more than half a
// segment of its commit log, 16 MiB by default.
const (
	requestRows  = 200
	requestBytes = 256 << 10
	maxCellBytes = 8 << 20
	rowBytes     = 64 // of a row, besides url and value
)

// Apply implements store.Writer: it puts all cells in parallel requests, and the commit
// row after they are acknowledged. A crash in between leaves cells without a commit,
// which the next processor writes again: the same versions with the same bytes, or
// higher ones. The cells of a zombie are below the stored ones, so nobody sees them.
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
	if err := s.putShard(ctx, commitKind, b.Shard, b.Commit.Record, b.Commit.Offset); err != nil {
		return fmt.Errorf("commit of %v at %d: %w", b.Shard, b.Commit.Offset, err)
	}
	s.setCommitted(b.Shard, b.Commit.Offset)
	return nil
}

// putShard puts a row of a shard. Of two the one with the higher offset stays.
func (s *Store) putShard(ctx context.Context, what string, id store.Shard, value []byte, offset int64) error {
	return s.requests.exec(ctx, putShard, what, int64(id.Epoch), id.Partition, notNil(value), offset)
}

// notNil makes an empty value of nil, which would delete what is there.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Deltas implements store.TakesDeltas. Each delta has a row, which keeps the highest
// version. Package parts merges them.
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
	requests, err := s.encode(shard, cells)
	if err != nil {
		return err
	}
	for at := range requests {
		if err := s.markDay(ctx, g, at.day); err != nil {
			return err
		}
	}
	var all errgroup.Group // not a group that ends with the first error: no request is abandoned without need
	all.SetLimit(s.opts.Parallel)
	for _, entries := range requests {
		for _, part := range split(entries) {
			all.Go(func() error { return s.putEntries(ctx, part) })
		}
	}
	err = all.Wait()
	if err == nil || ctx.Err() != nil {
		return err
	}
	gone, err := s.whyFailed(ctx, g, err)
	if gone {
		return nil
	}
	return err
}

// partition is the key of a partition of cells.
type partition struct {
	bucket int16
	day    int32
}

func (s *Store) partitionOf(k *store.Key) partition {
	return partition{bucketOf(k.URL, s.layout.Buckets), k.Hour / hoursADay}
}

// encode makes a put of each cell, grouped by partition.
func (s *Store) encode(shard store.Shard, cells []store.Cell) (map[partition][]gocql.BatchEntry, error) {
	text := putCell(cells[0].Key.Generation)
	groups := make(map[partition][]gocql.BatchEntry)
	for i := range cells {
		c := &cells[i]
		switch {
		case c.Delta < 0 || c.Delta > deltas:
			return nil, fmt.Errorf("cassandra: delta %d of a cell: allowed are 0 to %d", c.Delta, deltas)
		case len(c.Value) > maxCellBytes:
			return nil, fmt.Errorf("cassandra: a cell of %d bytes: allowed are %d", len(c.Value), maxCellBytes)
		case !utf8.ValidString(c.Key.URL):
			return nil, fmt.Errorf("cassandra: url %.80q is not UTF-8", c.Key.URL)
		}
		at := s.partitionOf(&c.Key)
		groups[at] = append(groups[at], gocql.BatchEntry{Stmt: text, Idempotent: true, Args: []any{
			at.bucket, date(at.day), int16(c.Key.View), c.Key.URL, int8(c.Key.Hour % hoursADay), int64(shard.Epoch), shard.Partition,
			int8(c.Delta), notNil(c.Value), c.Version}})
	}
	return groups, nil
}

// Places of arguments of a put whose length varies.
const (
	urlArg   = 3
	valueArg = 8
)

// split cuts the puts of a partition into requests.
func split(entries []gocql.BatchEntry) (all [][]gocql.BatchEntry) {
	begin, size := 0, 0
	for i := range entries {
		n := rowBytes + len(entries[i].Args[urlArg].(string)) + len(entries[i].Args[valueArg].([]byte))
		if i > begin && (i-begin == requestRows || size+n > requestBytes) {
			all = append(all, entries[begin:i])
			begin, size = i, 0
		}
		size += n
	}
	return append(all, entries[begin:])
}

// putEntries puts rows of one partition, with one request. It is an unlogged batch,
// which Cassandra applies to a partition as one write.
func (s *Store) putEntries(ctx context.Context, entries []gocql.BatchEntry) error {
	err := s.requests.idempotent(ctx, func(ctx context.Context, session *gocql.Session) error {
		b := session.Batch(gocql.UnloggedBatch)
		b.Entries = entries
		return b.ExecContext(ctx)
	})
	if err == nil {
		s.put.Add(int64(len(entries)))
	}
	return err
}

// markDay notes that a generation may have cells of a day, before it has some.
func (s *Store) markDay(ctx context.Context, g uint32, day int32) error {
	mark := generationDay{g, day}
	s.mu.Lock()
	known := s.mu.days[mark]
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := s.requests.exec(ctx, putDay, int64(g), date(day)); err != nil {
		return fmt.Errorf("day %d of generation %d: %w", day, g, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.days[mark] = true
	return nil
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
	found, err = s.shard(ctx, commitKind, id, &c.Offset, &c.Record)
	if err != nil || !found {
		return store.Commit{}, false, err
	}
	s.setCommitted(id, c.Offset)
	return c, true, nil
}

// shard reads a row of a shard.
func (s *Store) shard(ctx context.Context, what string, id store.Shard, offset *int64, value *[]byte) (found bool, err error) {
	found, err = s.requests.row(ctx, s.opts.Consistency, readShard, []any{what, int64(id.Epoch), id.Partition}, []any{offset, value})
	if err != nil {
		return false, fmt.Errorf("%s of %v: %w", what, id, err)
	}
	return found, nil
}

var _ store.TakesDeltas = (*Store)(nil)
