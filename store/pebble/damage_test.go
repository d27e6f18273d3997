package pebble

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/store"
)

// withTables makes a store whose cells are in tables, and closes it.
func withTables(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateGeneration(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	b := &store.Batch{Commit: store.Commit{Offset: 5000}}
	for i := range 5000 {
		b.Cells = append(b.Cells, store.Cell{Key: store.Key{URL: fmt.Sprintf("foo.com/%06d", i)}, Version: int64(i + 1), Value: []byte("a value of some length that is not packed well")})
	}
	if err := s.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// use does what a process does with a store, and returns the first error.
func use(t *testing.T, dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	defer s.Close()
	r, err := s.Read(t.Context())
	if err != nil {
		return err
	}
	defer r.Close()
	n := 0
	err = r.Scan(t.Context(), store.Range{URL: "foo.com/", Prefix: true, From: 0, To: 1 << 30}, func(*store.ScanCell) error { n++; return nil })
	if err == nil && n != 5000 {
		err = fmt.Errorf("%d cells and no error", n)
	}
	return err
}

// Damage to any file gives an error that names the file and the remedy, and never a
// panic or fewer cells.
func TestDamagedFiles(t *testing.T) {
	for name, damage := range map[string]struct {
		files string
		do    func(path string, b []byte) error
	}{
		"flipped byte in a table": {"*.sst", func(path string, b []byte) error {
			b[len(b)/3] ^= 1
			return os.WriteFile(path, b, 0o644)
		}},
		"flipped byte at a table's end": {"*.sst", func(path string, b []byte) error {
			b[len(b)-20] ^= 1
			return os.WriteFile(path, b, 0o644)
		}},
		"missing table": {"*.sst", func(path string, _ []byte) error { return os.Remove(path) }},
		"table cut short": {"*.sst", func(path string, b []byte) error {
			return os.Truncate(path, int64(len(b)/2))
		}},
		"flipped byte in the manifest": {"MANIFEST-*", func(path string, b []byte) error {
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o644)
		}},
		"missing manifest": {"MANIFEST-*", func(path string, _ []byte) error { return os.Remove(path) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := withTables(t)
			files, err := filepath.Glob(filepath.Join(dir, damage.files))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			path := files[len(files)-1]
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage.do(path, b); err != nil {
				t.Fatal(err)
			}
			err = use(t, dir)
			if err == nil && strings.Contains(name, "byte in the manifest") {
				return // all cells are there: the write-ahead log has what the manifest lacks
			}
			if err != nil && (strings.Count(err.Error(), "rebuild") != 1 || strings.Contains(err.Error(), "\n")) {
				t.Errorf("the error is not one line with one remedy: %v", err)
			}
			if err == nil || !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(path)) || !strings.Contains(err.Error(), "speedlayer rebuild --data") {
				t.Errorf("error %v, want one that names %s", err, filepath.Base(path))
			}
		})
	}
}
