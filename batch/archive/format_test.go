package archive_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"speedlayer/batch/archive"
	"speedlayer/event"
	"speedlayer/internal/objects"
)

// checkFooters opens every file that the newest manifest names, and compares the
// column paths in its footer with its schema. parquet-java finds a column by these
// paths, while the readers that other tests use ignore them.
func checkFooters(t *testing.T, dir string) (files int) {
	t.Helper()
	for _, path := range filesOf(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parquet.OpenFile(strings.NewReader(string(b)), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		columns := f.Schema().Columns()
		for g, group := range f.Metadata().RowGroups {
			for c, chunk := range group.Columns {
				if have, want := strings.Join(chunk.MetaData.PathInSchema, "."), strings.Join(columns[c], "."); have != want {
					t.Errorf("%s: row group %d: path_in_schema of column %d is %q, want %q", path, g, c, have, want)
				}
			}
		}
		files++
	}
	return files
}

// filesOf lists the files of an archive in a folder, as "archive files" does.
func filesOf(t *testing.T, dir string) (paths []string) {
	t.Helper()
	o, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := archive.New(o).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name := range archive.Names(s.Manifest) {
		paths = append(paths, filepath.Join(dir, filepath.FromSlash(name)))
	}
	return paths
}

func TestFootersNameTheirColumns(t *testing.T) {
	dir := t.TempDir()
	o, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	a := newArchiver(t, o, everything(3))
	if _, err := a.Archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := checkFooters(t, dir); n != 10 {
		t.Errorf("%d files, want 10", n)
	}
}

// oldArchive is a copy of testdata/format1, which the version before format 2 wrote
// for everything(3).
func oldArchive(t *testing.T) (dir string, o objects.Store) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/format1")); err != nil {
		t.Fatal(err)
	}
	o, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, o
}

// An archive of format 1 is readable, and Compact rewrites all of it. Records, columns
// and edges stay the same.
func TestOldFormat(t *testing.T) {
	dir, o := oldArchive(t)
	l := everything(3)
	before := checkWhole(t, o, l)
	if n := before.OutdatedCount(); n != 10 {
		t.Errorf("%d of 10 files are outdated", n)
	}
	old := scanned(t, before)
	m, err := newArchiver(t, o, l).Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := m.OutdatedCount(); n != 0 || m.Format != 2 {
		t.Errorf("format %d, %d files outdated after compaction", m.Format, n)
	}
	after := checkWhole(t, o, l)
	if have := scanned(t, after); have != old {
		t.Errorf("reads\n%s\nwas\n%s", have, old)
	}
	for name := range archive.Names(m) {
		if strings.Contains(name, "/epoch=") {
			t.Errorf("%s is still named", name)
		}
	}
	checkFooters(t, dir)
}

// An old archive grows while its files are rewritten one at a time.
func TestOldFormatGrows(t *testing.T) {
	_, o := oldArchive(t)
	l := everything(3)
	a := newArchiver(t, o, l)
	l.view(1, 72*3600*1000, personOf(1, 3, 1), "https://foo.com/new")
	l.commit()
	if _, err := a.Archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	for want := 9; want >= 0; want-- {
		m, err := a.CompactSome(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if n := m.OutdatedCount(); n != want {
			t.Fatalf("%d files are outdated, want %d", n, want)
		}
		checkWhole(t, o, l)
	}
}

// scanned returns the results of the readers of columns and of edges, as text.
func scanned(t *testing.T, s *archive.Snapshot) string {
	t.Helper()
	var b strings.Builder
	for i := range s.Shards {
		l := &s.Shards[i]
		if err := s.Scan(t.Context(), l.Shard(), l.Start, l.End, archive.Events|archive.URL, func(c *archive.Columns) error {
			for r := range c.N {
				fmt.Fprintln(&b, c.Shard, c.Offset[r], c.Kind[r], c.TS[r], string(c.Page.Row(r)), string(c.Person.Row(r)), string(c.Nonce.Row(r)))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Edges(t.Context(), s.EdgeEnd(), func(at archive.EdgePosition, e event.Edge) error {
		fmt.Fprintln(&b, at, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
