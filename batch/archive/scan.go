package archive

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/parquet-go/parquet-go"

	"speedlayer/internal/objects"
	"speedlayer/store"
)

// Snapshot reads the archive as of one manifest. Files never change. If compaction has
// replaced and removed a file since, Snapshot finds its records by the newest manifest.
// It is not safe for concurrent use; open one for each goroutine.
type Snapshot struct {
	*Manifest
	objects objects.Store
	cols    Columns // of the last batch; its memory is reused
}

// Scan calls fn with the records of a shard whose offsets are in [from, to), in
// log order, about ten thousand at a time. It returns a *HoleError, before any call,
// if the archive does not have all of them.
func (s *Snapshot) Scan(ctx context.Context, shard store.Shard, from, to int64, want Column, fn func(c *Columns) error) error {
	return s.through(ctx, shard, from, to, func(f File, from int64) (int64, error) {
		return s.scanFile(ctx, shard, f, from, to, want, fn)
	})
}

// through calls read with the files that contain [from, to) of a shard, in order,
// and with the first wanted offset; read returns how far it came. If a file is gone,
// through looks for its records in the newest manifest.
func (s *Snapshot) through(ctx context.Context, shard store.Shard, from, to int64, read func(f File, from int64) (int64, error)) error {
	for from < to {
		l := s.log(shard)
		if l == nil {
			return &HoleError{Shard: shard, From: from, To: to}
		}
		if err := l.covers(max(from, l.Start), to); err != nil {
			return err
		}
		next, err := l.eachFile(from, to, read)
		if !errors.Is(err, objects.ErrNotFound) {
			return err
		}
		if err := s.renew(ctx, err); err != nil {
			return err
		}
		from = next
	}
	return nil
}

// eachFile returns the offset at which to continue after an error.
func (l *Log) eachFile(from, to int64, read func(f File, from int64) (int64, error)) (next int64, err error) {
	for _, f := range l.Files {
		if f.To <= from {
			continue
		}
		if f.From >= to {
			break
		}
		if from, err = read(f, from); err != nil {
			return from, err
		}
	}
	return to, nil
}

// renew loads the newest manifest if it is newer than ours.
func (s *Snapshot) renew(ctx context.Context, missing error) error {
	m, err := newest(ctx, s.objects)
	if err != nil {
		return err
	}
	if m.Number == s.Number {
		return fmt.Errorf("%w: manifest %d names a file that is not there: %w", ErrCorrupt, m.Number, missing)
	}
	s.Manifest = m
	return nil
}

func (s *Snapshot) scanFile(ctx context.Context, shard store.Shard, f File, from, to int64, want Column, fn func(c *Columns) error) (next int64, err error) {
	file, err := openData(ctx, s.objects, f)
	if err != nil {
		return from, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for _, g := range file.RowGroups() {
		if err := ctx.Err(); err != nil {
			return from, err
		}
		c := &s.cols
		c.Shard = shard
		if err := c.readGroup(g, want|Offset); err != nil {
			return from, fmt.Errorf("%s: %w", f.Name, err)
		}
		first := sort.Search(c.N, func(i int) bool { return c.Offset[i] >= from })
		last := sort.Search(c.N, func(i int) bool { return c.Offset[i] >= to })
		if first >= last {
			continue
		}
		c.cut(want, first, last)
		after := c.Offset[c.N-1] + 1
		if err := fn(c); err != nil {
			return from, err
		}
		from = after
	}
	return max(from, min(f.To, to)), nil
}

// dataFile is an open Parquet file.
type dataFile struct {
	*parquet.File
	objects.Object
}

func (d dataFile) Close() error { return d.Object.Close() }

// readBuffer is the least that one request to an object store fetches of a column:
// fewer requests are worth more than fewer bytes.
const readBuffer = 1 << 20

// openData opens a file and checks it against the manifest.
func openData(ctx context.Context, o objects.Store, f File) (dataFile, error) {
	obj, err := o.Open(ctx, f.Name)
	if err != nil {
		return dataFile{}, err
	}
	fail := func(err error) (dataFile, error) {
		return dataFile{}, errors.Join(fmt.Errorf("%w: %s: %w", ErrCorrupt, f.Name, err), obj.Close())
	}
	if obj.Size() != f.Bytes {
		return fail(fmt.Errorf("has %d bytes, not %d", obj.Size(), f.Bytes))
	}
	file, err := parquet.OpenFile(obj, obj.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(readBuffer))
	if err != nil {
		return fail(err)
	}
	if err := checkFooter(file, f); err != nil {
		return fail(err)
	}
	return dataFile{file, obj}, nil
}
