package views

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/store"
)

// Views reads one run. It is safe for concurrent use.
type Views struct {
	dir     string
	fs      vfs.FS
	meta    *meta
	persons persons
	tables  []*reader // by part, then kind
}

// reader is an open table with idle iterators over it. Each iterator keeps the index
// of the table, which is much of the cost of a short read.
type reader struct {
	name  string
	table *sstable.Reader
	mu    struct {
		sync.Mutex
		idle   []sstable.Iterator
		closed bool
	}
}

// maxIdle is how many idle iterators of a table are kept.
const maxIdle = 16

// Open opens a finished run. It checks that every file exists with its length. It
// also checks the checksums of all files except the tables, whose blocks are checked
// when they are read; Verify reads whole tables. An error names the file.
func Open(dir string) (*Views, error) { return OpenFS(vfs.Default, dir) }

// OpenFS opens a run on another file system.
func OpenFS(fs vfs.FS, dir string) (_ *Views, err error) {
	m, err := readMeta(fs, dir)
	if err != nil {
		return nil, err
	}
	v := &Views{dir: dir, fs: fs, meta: m}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if err := v.check(m.Person); err != nil {
		return nil, err
	}
	name := fs.PathJoin(dir, m.Person.Name)
	if v.persons, err = readPersons(fs, name); err != nil {
		return nil, fmt.Errorf("batch views: %s: %w", name, err)
	}
	for _, f := range m.Tables {
		r, err := openTable(fs, fs.PathJoin(dir, f.Name), f.Bytes)
		if err != nil {
			return nil, fmt.Errorf("batch views: %s: %w", fs.PathJoin(dir, f.Name), err)
		}
		v.tables = append(v.tables, r)
	}
	return v, nil
}

func openTable(fs vfs.FS, name string, size int64) (*reader, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%w: has %d bytes, not %d", store.ErrCorrupt, info.Size(), size)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	table, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	return &reader{name: name, table: table}, nil
}

// check reads a whole file and compares it with its entry in run.json.
func (v *Views) check(want file) error {
	have, err := measure(v.fs, v.dir, want.Name)
	switch {
	case err != nil:
		return fmt.Errorf("batch views: %w", err)
	case have != want:
		return fmt.Errorf("batch views: %s: %w: has %d bytes with checksum %s, not %d with %s",
			v.fs.PathJoin(v.dir, want.Name), store.ErrCorrupt, have.Bytes, have.Sum, want.Bytes, want.Sum)
	}
	return nil
}

// Verify reads every file completely and compares it with its checksum. A copy of a
// run is verified before it is used.
func (v *Views) Verify(ctx context.Context) error {
	for _, f := range append(v.meta.Tables, v.meta.Person) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.check(f); err != nil {
			return err
		}
	}
	return nil
}

// Run returns the number and vector of the run.
func (v *Views) Run() store.Run { return v.meta.Run }

// InfoLost is the key in a run's info for how many records of the log below its vector
// were accepted as lost.
const InfoLost = "lost"

// Info returns what the run records about itself for people.
func (v *Views) Info() map[string]string { return v.meta.Info }

// Lost returns how many records below the vector were accepted as lost.
func (v *Views) Lost() (n int64) {
	n, _ = strconv.ParseInt(v.meta.Info[InfoLost], 10, 64) // 0 for a run without this entry
	return n
}

// Files returns the names of all files listed in run.json in dir, with run.json last.
// They may be copied in this order.
func Files(dir string) (names []string, err error) {
	m, err := readMeta(vfs.Default, dir)
	if err != nil {
		return nil, err
	}
	for _, f := range append(m.Tables, m.Person) {
		if f.Name != filepath.Base(f.Name) {
			return nil, fmt.Errorf("batch views: %s: %w: %q is not the name of a file", dir, store.ErrCorrupt, f.Name)
		}
		names = append(names, f.Name)
	}
	return append(names, MetaName), nil
}

// Bytes returns the total size of the run.
func (v *Views) Bytes() (n int64) {
	for _, f := range append(v.meta.Tables, v.meta.Person) {
		n += f.Bytes
	}
	return n
}

// Canonical returns the canonical person of a person by the edges of the run, as
// hashes.
func (v *Views) Canonical(raw uint64) uint64 { return v.persons.of(raw) }

// Close closes all files. No scan may be running. Repeating it is not an error.
func (v *Views) Close() error {
	var errs []error
	for _, r := range v.tables {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// iterator takes an iterator over the whole table; give returns it.
func (r *reader) iterator() (sstable.Iterator, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return nil, store.ErrClosed
	}
	if n := len(r.mu.idle); n > 0 {
		it := r.mu.idle[n-1]
		r.mu.idle = r.mu.idle[:n-1]
		return it, nil
	}
	return r.table.NewPointIter(context.Background(), sstable.IterOptions{
		Transforms: sstable.NoTransforms, FilterBlockSizeLimit: sstable.NeverUseFilterBlock,
		Env: sstable.NoReadEnv, ReaderProvider: sstable.MakeTrivialReaderProvider(r.table),
	})
}

func (r *reader) give(it sstable.Iterator) error {
	r.mu.Lock()
	keep := it.Error() == nil && !r.mu.closed && len(r.mu.idle) < maxIdle
	if keep {
		r.mu.idle = append(r.mu.idle, it)
	}
	r.mu.Unlock()
	if keep {
		return nil
	}
	return it.Close()
}

func (r *reader) close() error {
	r.mu.Lock()
	idle, closed := r.mu.idle, r.mu.closed
	r.mu.idle, r.mu.closed = nil, true
	r.mu.Unlock()
	if closed {
		return nil
	}
	var errs []error
	for _, it := range idle {
		errs = append(errs, it.Close())
	}
	return errors.Join(append(errs, r.table.Close())...)
}
