package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gofrs/flock"
)

// tempMade counts temporary files: of all folders of the process, for two may be
// the same directory.
var tempMade atomic.Uint64

// folder is a directory. An object is written under a temporary name, synced, and
// linked to its own, which fails if that is taken; then the directory is synced.
type folder struct{ dir string }

// tempDir is where files are that are not objects yet. Who writes one holds a lock
// on it; one without, a killed process left.
const tempDir = ".tmp"

func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f := &folder{dir: dir}
	return f, f.sweep()
}

// sweep removes what killed processes left. A file that is made just now, and not
// locked yet, may go too: its writer fails then, as if it had been killed.
func (f *folder) sweep() error {
	found, err := os.ReadDir(filepath.Join(f.dir, tempDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range found {
		path := filepath.Join(f.dir, tempDir, d.Name())
		lock := flock.New(path, flock.SetFlag(os.O_RDWR))
		if free, err := lock.TryLock(); err != nil || !free {
			continue // being written, or gone
		}
		if err := errors.Join(os.Remove(path), lock.Unlock()); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *folder) Create(ctx context.Context, name string, from io.Reader, size int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path := f.path(name)
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	if err := f.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := f.makeDir(filepath.Join(f.dir, tempDir)); err != nil {
		return err
	}
	temp := filepath.Join(f.dir, tempDir, strconv.Itoa(os.Getpid())+"-"+strconv.FormatUint(tempMade.Add(1), 10))
	lock := flock.New(temp, flock.SetPermissions(0o644))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { _, _ = os.Remove(temp), lock.Unlock() }() // it is linked, or of no use
	if err := writeSynced(temp, from, size); err != nil {
		return err
	}
	err := os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func writeSynced(path string, from io.Reader, size int64) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, from)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes instead of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

// makeDir makes a directory and those above it, each durable in its parent.
func (f *folder) makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if dir != f.dir {
		if err := f.makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return err
	}
	return nil
}

func (f *folder) Open(_ context.Context, name string) (Object, error) {
	file, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, f.path(name))
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &folderObject{file, info.Size()}, nil
}

type folderObject struct {
	*os.File
	size int64
}

func (o *folderObject) Size() int64 { return o.size }

func (f *folder) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	root := f.path(prefix[:strings.LastIndexByte(prefix, '/')+1])
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed meanwhile, or nothing there yet
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() && d.Name() == tempDir:
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		rel, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !strings.HasPrefix(name, prefix) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(name, info.Size())
	})
}

func (f *folder) Delete(_ context.Context, name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *folder) Close() error { return nil }
