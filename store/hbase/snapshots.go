package hbase

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/tsuna/gohbase/pb"
	"golang.org/x/sync/errgroup"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// These sizes suit a region server. It copies cells of up to 256 KiB into memory that
// it reuses. A larger cell keeps the whole request in its heap. Requests, answers and
// edits of its log that are larger than half of a region of its garbage collector
// (above 512 KiB with a heap of 2 GiB) are arrays that cannot be moved. Snapshots in
// cells of 4 MiB, every 5 s, killed a region server with a heap of 4 GiB by
// OutOfMemoryError within minutes.
const (
	chunkBytes = 480 << 10 // of a row
	pieceBytes = 120 << 10 // of a cell; a row has a column for each, 000 and up, and one put makes all or none
)

// ChunkBytes implements store.Chunking.
func (s *Store) ChunkBytes() int { return chunkBytes }

// pieces splits a chunk into the columns of its row. Their timestamp is the offset
// of the snapshot plus one.
func pieces(chunk []byte) client.Columns {
	c := client.Columns{pieceColumn(0): nil} // an empty chunk has one too
	n := 0
	for piece := range slices.Chunk(chunk, pieceBytes) {
		c[pieceColumn(n)] = piece
		n++
	}
	return c
}

func pieceColumn(i int) string { return fmt.Sprintf("%03d", i) }

// pendingSnapshot records where the chunks of a snapshot being put go.
type pendingSnapshot struct {
	offset int64
	table  uint32
}

// namedSnapshot is a name row. The table of the snapshot is part of the name.
type namedSnapshot struct {
	store.SnapshotName
	table uint32
}

// PutChunk implements store.Snapshots. All chunks of a snapshot go to the table of
// the generation that was the newest when its first chunk came.
func (s *Store) PutChunk(ctx context.Context, id store.Shard, offset int64, index int, chunk []byte) error {
	table, err := s.tableOfPending(ctx, id, offset, index)
	if err != nil {
		return err
	}
	err = s.client.Put(ctx, s.names.state(table), chunkRow(id, offset, index), stateFamily, pieces(chunk), uint64(offset)+1)
	if err != nil {
		s.forget(id)
		return fmt.Errorf("chunk %d of snapshot at %d of %v: %w", index, offset, id, err)
	}
	return nil
}

func (s *Store) tableOfPending(ctx context.Context, id store.Shard, offset int64, index int) (uint32, error) {
	s.mu.Lock()
	p, ok := s.mu.pending[id]
	s.mu.Unlock()
	if ok && p.offset == offset && index > 0 {
		return p.table, nil
	}
	if index > 0 {
		return 0, fmt.Errorf("%w: the first of snapshot at %d of %v", store.ErrNoChunk, offset, id)
	}
	all, err := s.allGenerations(ctx)
	if err != nil {
		return 0, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].state == stateCreated {
			s.mu.Lock()
			s.mu.pending[id] = pendingSnapshot{offset, all[i].number}
			s.mu.Unlock()
			return all[i].number, nil
		}
	}
	return 0, fmt.Errorf("%w: none to keep snapshots in", store.ErrNoGeneration)
}

func (s *Store) forget(id store.Shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.pending, id)
}

// NameSnapshot implements store.Snapshots. Of two names the one with the higher
// offset stays, because the offset is the timestamp.
func (s *Store) NameSnapshot(ctx context.Context, id store.Shard, n store.SnapshotName) error {
	c, found, err := s.Commit(ctx, id)
	if err != nil {
		return err
	}
	if !found || c.Offset < n.Offset {
		return fmt.Errorf("%w: snapshot at %d of %v", store.ErrAboveCommit, n.Offset, id)
	}
	have, found, err := s.named(ctx, id)
	if err != nil {
		return err
	}
	if found && have.Offset >= n.Offset {
		return nil
	}
	s.mu.Lock()
	p, ok := s.mu.pending[id]
	s.mu.Unlock()
	if !ok || p.offset != n.Offset {
		return fmt.Errorf("%w: snapshot at %d of %v was not put by this process", store.ErrNoChunk, n.Offset, id)
	}
	rows, err := s.chunkRows(ctx, p.table, id, n.Offset, n.Offset+1)
	if err != nil {
		return err
	}
	for i := range n.Chunks {
		if i >= len(rows) || rows[i] != chunkRow(id, n.Offset, i) {
			return fmt.Errorf("%w: chunk %d of snapshot at %d of %v", store.ErrNoChunk, i, n.Offset, id)
		}
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(n.Chunks))
	value = binary.BigEndian.AppendUint64(value, uint64(p.table))
	if err := s.client.Put(ctx, s.names.control(), shardRow(snapshotPrefix, id), controlFamily, client.Columns{nameColumn: value}, uint64(n.Offset)); err != nil {
		return fmt.Errorf("name of snapshot at %d of %v: %w", n.Offset, id, err)
	}
	s.forget(id)
	// What is left here, or by a crash, is removed with the next name.
	if err := s.deleteChunks(ctx, p.table, id, n.Offset); err != nil {
		s.opts.Logger.Warn("hbase: chunks of old snapshots stay for now", "shard", id, "err", err)
	}
	return nil
}

// chunkRows lists the rows of a shard's chunks with from <= offset < to.
func (s *Store) chunkRows(ctx context.Context, table uint32, id store.Shard, from, to int64) (rows []string, err error) {
	sc := &client.Scan{Table: s.names.state(table), KeysOnly: true,
		Start: []byte(chunkRow(id, from, 0)), Stop: []byte(chunkRow(id, to, 0))}
	for more := true; more; {
		var block []byte
		if block, more, err = s.client.Next(ctx, sc); err != nil {
			return nil, err
		}
		for len(block) > 0 {
			var kv client.KeyValue
			if kv, block, err = client.NextKeyValue(block); err != nil {
				return nil, err
			}
			if n := len(rows); n == 0 || rows[n-1] != string(kv.Row) { // a row has several cells
				rows = append(rows, string(kv.Row))
			}
		}
	}
	return rows, nil
}

// deleteChunks deletes the chunks of a shard below an offset in one table. Chunks in
// earlier tables are removed with their tables.
func (s *Store) deleteChunks(ctx context.Context, table uint32, id store.Shard, below int64) error {
	rows, err := s.chunkRows(ctx, table, id, 0, below)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := s.client.DeleteRow(ctx, s.names.state(table), row); err != nil {
			return err
		}
	}
	return nil
}

// Snapshot implements store.Snapshots.
func (s *Store) Snapshot(ctx context.Context, id store.Shard) (store.SnapshotName, bool, error) {
	n, found, err := s.named(ctx, id)
	return n.SnapshotName, found, err
}

func (s *Store) named(ctx context.Context, id store.Shard) (n namedSnapshot, found bool, err error) {
	c, err := s.client.Value(ctx, s.names.control(), shardRow(snapshotPrefix, id), controlFamily, nameColumn)
	if err != nil {
		return n, false, fmt.Errorf("snapshot of %v: %w", id, err)
	}
	if c == nil {
		return n, false, nil
	}
	n, err = parseName(c.Value, (*pb.Cell)(c).GetTimestamp())
	return n, err == nil, err
}

func parseName(value []byte, timestamp uint64) (n namedSnapshot, err error) {
	if len(value) != 16 || timestamp > math.MaxInt64 {
		return n, fmt.Errorf("%w: a snapshot's name of %d bytes", store.ErrCorrupt, len(value))
	}
	n.Offset = int64(timestamp)
	n.Chunks = int(binary.BigEndian.Uint64(value))
	n.table = uint32(binary.BigEndian.Uint64(value[8:]))
	return n, nil
}

// Chunk implements store.Snapshots. It looks only for chunks of the named snapshot:
// all others are gone or incomplete.
func (s *Store) Chunk(ctx context.Context, id store.Shard, offset int64, index int, dst []byte) ([]byte, error) {
	gone := fmt.Errorf("%w: chunk %d of snapshot at %d of %v", store.ErrNoChunk, index, offset, id)
	n, found, err := s.named(ctx, id)
	if err != nil {
		return dst, err
	}
	if !found || n.Offset != offset {
		return dst, gone
	}
	cells, err := s.client.Family(ctx, s.names.state(n.table), chunkRow(id, offset, index), stateFamily)
	if client.IsNoTable(err) || err == nil && len(cells) == 0 {
		return dst, gone
	}
	if err != nil {
		return dst, fmt.Errorf("chunk %d of snapshot at %d of %v: %w", index, offset, id, err)
	}
	for _, c := range cells { // in order of their columns
		dst = append(dst, c.Value...)
	}
	return dst, nil
}

// sweepSnapshots removes the tables of snapshots that are no longer needed: those
// below the table that each partition's row names. Partitions of old log epochs are
// ignored, because they have no processor any more. A partition of the newest epoch
// without a row keeps all tables.
func (s *Store) sweepSnapshots(ctx context.Context) error {
	lowest, err := s.lowestNamed(ctx)
	if err != nil {
		return err
	}
	tables, err := s.master.Tables(ctx, s.names.statePrefix())
	if err != nil {
		return err
	}
	var drops errgroup.Group
	drops.SetLimit(2)
	for _, t := range tables {
		if n, ok := numberOf(s.names.statePrefix(), t); ok && n < lowest {
			drops.Go(func() error { return s.master.Remove(ctx, t) })
		}
	}
	return drops.Wait()
}

// lowestNamed returns the lowest table that a snapshot name of the newest log epoch
// refers to, or 0 if some partition has no name.
func (s *Store) lowestNamed(ctx context.Context) (uint32, error) {
	epochs, err := s.Epochs(ctx)
	if err != nil || len(epochs) == 0 {
		return 0, err
	}
	newest := epochs[len(epochs)-1]
	lowest, found := uint32(math.MaxUint32), int32(0)
	err = s.rows(ctx, snapshotPrefix, func(kv *client.KeyValue) error {
		id, err := shardOf(snapshotPrefix, string(kv.Row))
		if err != nil {
			return err
		}
		n, err := parseName(kv.Value, kv.Timestamp)
		if err != nil {
			return err
		}
		if id.Epoch == newest.Number && id.Partition < newest.Partitions {
			lowest = min(lowest, n.table)
			found++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if found < newest.Partitions || newest.Partitions == 0 {
		return 0, nil
	}
	return lowest, nil
}
