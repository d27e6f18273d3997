package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/store"
)

// Operator state is kept in files beside the database, one for each chunk. In the
// database, 20 MB a partition that live for seconds would be rewritten by
// compactions several times. A chunk is written under another name, synced and
// renamed, and the directory is synced. A row in the database names the snapshot.
//
//	snapshots/<epoch>-<partition>-<offset>-<index>
//	CRC-32C of what follows u32, little-endian | chunk
const (
	snapshotDir = "snapshots"
	unfinished  = ".tmp"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *Store) snapshotDir() string { return s.fs.PathJoin(s.opts.Dir, snapshotDir) }

func (s *Store) chunkPath(id store.Shard, offset int64, index int) string {
	return s.fs.PathJoin(s.snapshotDir(), fmt.Sprintf("%d-%d-%d-%d", id.Epoch, id.Partition, offset, index))
}

// openSnapshots makes the directory and removes the files that no row names.
func (s *Store) openSnapshots() error {
	if err := s.fs.MkdirAll(s.snapshotDir(), 0o755); err != nil {
		return err
	}
	if err := s.syncDir(s.opts.Dir); err != nil {
		return err
	}
	files, err := s.fs.List(s.snapshotDir())
	if err != nil {
		return err
	}
	for _, name := range files {
		var id store.Shard
		var offset int64
		var index int
		_, err := fmt.Sscanf(name, "%d-%d-%d-%d", &id.Epoch, &id.Partition, &offset, &index)
		if err == nil && !strings.HasSuffix(name, unfinished) {
			n, found, err := s.snapshotName(id)
			if err != nil {
				return err
			}
			if found && n.Offset == offset {
				continue
			}
		}
		if err := s.fs.Remove(s.fs.PathJoin(s.snapshotDir(), name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) syncDir(path string) error {
	if s.opts.NoSync {
		return nil
	}
	d, err := s.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// PutChunk implements store.Snapshots.
func (s *Store) PutChunk(_ context.Context, id store.Shard, offset int64, index int, chunk []byte) error {
	if s.isClosed() {
		return store.ErrClosed
	}
	path := s.chunkPath(id, offset, index)
	if err := s.writeFile(path+unfinished, chunk); err != nil {
		return err
	}
	if err := s.fs.Rename(path+unfinished, path); err != nil {
		return err
	}
	return s.syncDir(s.snapshotDir())
}

func (s *Store) writeFile(path string, chunk []byte) error {
	f, err := s.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	var sum [4]byte
	binary.LittleEndian.PutUint32(sum[:], crc32.Checksum(chunk, castagnoli))
	_, err = f.Write(sum[:])
	if err == nil {
		_, err = f.Write(chunk)
	}
	if err == nil && !s.opts.NoSync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// NameSnapshot implements store.Snapshots.
func (s *Store) NameSnapshot(_ context.Context, id store.Shard, n store.SnapshotName) error {
	s.control.Lock()
	defer s.control.Unlock()
	if s.isClosed() {
		return store.ErrClosed
	}
	c, found, err := commitRow(s.db, id)
	if err != nil {
		return err
	}
	if !found || c.Offset < n.Offset {
		return fmt.Errorf("%w: snapshot at %d of %v", store.ErrAboveCommit, n.Offset, id)
	}
	have, found, err := s.snapshotName(id)
	if err != nil {
		return err
	}
	if found && have.Offset >= n.Offset {
		return nil
	}
	for i := range n.Chunks {
		if _, err := s.fs.Stat(s.chunkPath(id, n.Offset, i)); isNotExist(err) {
			return fmt.Errorf("%w: chunk %d of snapshot at %d of %v", store.ErrNoChunk, i, n.Offset, id)
		} else if err != nil {
			return err
		}
	}
	row := binary.LittleEndian.AppendUint64(nil, uint64(n.Offset))
	row = binary.LittleEndian.AppendUint64(row, uint64(n.Chunks))
	if err := s.db.Set(shardKey(snapshotPrefix, id), row, s.sync); err != nil {
		return err
	}
	if !found {
		return nil
	}
	// Files that a crash leaves here are removed at the next start.
	for i := range have.Chunks {
		if err := s.fs.Remove(s.chunkPath(id, have.Offset, i)); err != nil && !isNotExist(err) {
			s.opts.Logger.Warn("chunk of an old snapshot stays", "err", err)
		}
	}
	return nil
}

// Snapshot implements store.Snapshots.
func (s *Store) Snapshot(_ context.Context, id store.Shard) (store.SnapshotName, bool, error) {
	if s.isClosed() {
		return store.SnapshotName{}, false, store.ErrClosed
	}
	return s.snapshotName(id)
}

func (s *Store) snapshotName(id store.Shard) (n store.SnapshotName, found bool, err error) {
	found, err = get(s.db, shardKey(snapshotPrefix, id), func(value []byte) error {
		if len(value) != 16 {
			return fmt.Errorf("%w: a snapshot's name of %d bytes", store.ErrCorrupt, len(value))
		}
		n.Offset = int64(binary.LittleEndian.Uint64(value))
		n.Chunks = int(binary.LittleEndian.Uint64(value[8:]))
		return nil
	})
	return n, found, err
}

// Chunk implements store.Snapshots.
func (s *Store) Chunk(_ context.Context, id store.Shard, offset int64, index int, dst []byte) ([]byte, error) {
	if s.isClosed() {
		return dst, store.ErrClosed
	}
	path := s.chunkPath(id, offset, index)
	f, err := s.fs.Open(path)
	if err != nil {
		if isNotExist(err) {
			return dst, fmt.Errorf("%w: %s", store.ErrNoChunk, path)
		}
		return dst, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return dst, err
	}
	var sum [4]byte
	if info.Size() < 4 {
		return dst, fmt.Errorf("%w: %s has %d bytes", store.ErrCorrupt, path, info.Size())
	}
	if _, err := io.ReadFull(f, sum[:]); err != nil {
		return dst, err
	}
	at := len(dst)
	dst = append(dst, make([]byte, info.Size()-4)...)
	if _, err := io.ReadFull(f, dst[at:]); err != nil {
		return dst[:at], err
	}
	if crc32.Checksum(dst[at:], castagnoli) != binary.LittleEndian.Uint32(sum[:]) {
		return dst[:at], fmt.Errorf("%w: %s: wrong checksum", store.ErrCorrupt, path)
	}
	return dst, nil
}

func (s *Store) snapshotBytes() (n int64) {
	files, err := s.fs.List(s.snapshotDir())
	if err != nil {
		return 0
	}
	for _, name := range files {
		if info, err := s.fs.Stat(s.fs.PathJoin(s.snapshotDir(), name)); err == nil {
			n += info.Size()
		}
	}
	return n
}

func isNotExist(err error) bool { return errors.Is(err, os.ErrNotExist) }
