package cassandra

import (
	"context"
	"encoding/binary"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"speedlayer/store"
)

// chunkBytes is the length of a chunk. Cassandra holds values in its heap, and copies
// them, as a whole.
const chunkBytes = 512 << 10

// ChunkBytes implements store.Chunking.
func (s *Store) ChunkBytes() int { return chunkBytes }

// PutChunk implements store.Snapshots. The timestamp is the offset plus one, so that a
// delete of all below a later offset has a higher one.
func (s *Store) PutChunk(ctx context.Context, id store.Shard, offset int64, index int, chunk []byte) error {
	if err := s.requests.exec(ctx, putChunk, int64(id.Epoch), id.Partition, offset, int32(index), notNil(chunk), offset+1); err != nil {
		return fmt.Errorf("chunk %d of snapshot at %d of %v: %w", index, offset, id, err)
	}
	return nil
}

// NameSnapshot implements store.Snapshots. Of two names the one with the higher offset
// stays, because the offset is the timestamp.
func (s *Store) NameSnapshot(ctx context.Context, id store.Shard, n store.SnapshotName) error {
	c, found, err := s.Commit(ctx, id)
	if err != nil {
		return err
	}
	if !found || c.Offset < n.Offset {
		return fmt.Errorf("%w: snapshot at %d of %v", store.ErrAboveCommit, n.Offset, id)
	}
	have, found, err := s.Snapshot(ctx, id)
	if err != nil {
		return err
	}
	if found && have.Offset >= n.Offset {
		return nil
	}
	if err := s.checkChunks(ctx, id, n); err != nil {
		return err
	}
	if err := s.putShard(ctx, snapshotKind, id, binary.BigEndian.AppendUint64(nil, uint64(n.Chunks)), n.Offset); err != nil {
		return fmt.Errorf("name of snapshot at %d of %v: %w", n.Offset, id, err)
	}
	// What is left here, or by a crash, is removed with the next name.
	if err := s.requests.exec(ctx, deleteChunks, n.Offset, int64(id.Epoch), id.Partition, n.Offset); err != nil {
		s.opts.Logger.Warn("cassandra: chunks of old snapshots stay for now", "shard", id, "err", err)
	}
	return nil
}

// checkChunks makes sure that all chunks of a snapshot are there.
func (s *Store) checkChunks(ctx context.Context, id store.Shard, n store.SnapshotName) error {
	q := statement{listChunks, []any{int64(id.Epoch), id.Partition, n.Offset}, s.opts.pageRows}
	chunks, err := allOf(ctx, s.requests, q, func(iter *gocql.Iter) (chunk int32, ok bool) {
		ok = iter.Scan(&chunk)
		return chunk, ok
	})
	if err != nil {
		return fmt.Errorf("chunks of snapshot at %d of %v: %w", n.Offset, id, err)
	}
	for i := range n.Chunks { // they come in order
		if i >= len(chunks) || chunks[i] != int32(i) {
			return fmt.Errorf("%w: chunk %d of snapshot at %d of %v", store.ErrNoChunk, i, n.Offset, id)
		}
	}
	return nil
}

// Snapshot implements store.Snapshots.
func (s *Store) Snapshot(ctx context.Context, id store.Shard) (n store.SnapshotName, found bool, err error) {
	var value []byte
	found, err = s.shard(ctx, snapshotKind, id, &n.Offset, &value)
	if err != nil || !found {
		return store.SnapshotName{}, false, err
	}
	if len(value) != 8 {
		return store.SnapshotName{}, false, fmt.Errorf("%w: a snapshot's name of %d bytes", store.ErrCorrupt, len(value))
	}
	n.Chunks = int(binary.BigEndian.Uint64(value))
	return n, true, nil
}

// Chunk implements store.Snapshots. It looks only for chunks of the named snapshot: all
// others are gone or incomplete.
func (s *Store) Chunk(ctx context.Context, id store.Shard, offset int64, index int, dst []byte) ([]byte, error) {
	n, found, err := s.Snapshot(ctx, id)
	if err != nil {
		return dst, err
	}
	gone := fmt.Errorf("%w: chunk %d of snapshot at %d of %v", store.ErrNoChunk, index, offset, id)
	if !found || n.Offset != offset {
		return dst, gone
	}
	var value []byte
	found, err = s.requests.row(ctx, s.opts.Consistency, readChunk, []any{int64(id.Epoch), id.Partition, offset, int32(index)}, []any{&value})
	if err != nil {
		return dst, fmt.Errorf("chunk %d of snapshot at %d of %v: %w", index, offset, id, err)
	}
	if !found {
		return dst, gone
	}
	return append(dst, value...), nil
}
