package compute_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/archive"
	"speedlayer/batch/compute"
	"speedlayer/batch/views"
	"speedlayer/crdt"
	"speedlayer/store"
)

// duckDB returns a Python that has DuckDB. Without Python or the package index the
// test is skipped, but in CI it fails.
func duckDB(t *testing.T) (python string) {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT TESTED: installs a Python package, which -short leaves out")
	}
	dir := t.TempDir()
	err := run("python3", "-m", "venv", dir)
	if err == nil {
		err = run(filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "duckdb==2.0.0")
	}
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skip("NOT TESTED: ", err)
	}
	return filepath.Join(dir, "bin", "python")
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

const script = `
import duckdb, sys
archive, vector, steps = sys.argv[1:]
db = duckdb.connect()
for table in "pageviews", "equivs":
    db.execute("CREATE VIEW %s AS SELECT * FROM read_parquet('%s/%s/**/*.parquet', hive_partitioning=false)" % (table, archive, table))
db.execute("CREATE TABLE vector (epoch INT, partition INT, \"offset\" BIGINT)")
for v in vector.split():
    db.execute("INSERT INTO vector VALUES (?, ?, ?)", v.split("/"))
db.execute(open(steps).read())
for table in "views", "bounces":
    for row in db.execute("SELECT * FROM %s" % table).fetchall():
        print(table, *row)
`

// The steps in SQL produce the contents of a run.
func TestStepsAsSQL(t *testing.T) {
	python := duckDB(t)
	r := seeded(t)
	for range 5 {
		w := newWorld(t, r)
		for range 1 + r.IntN(3) {
			w.incarnation(1+r.Int32N(3), 100+r.IntN(500))
		}
		for len(w.edges) < 10 {
			w.edge()
		}
		_, err := w.archiver.Archive(t.Context()) // the edges, too
		must(t, err)
		dir := t.TempDir()
		must(t, w.objects.(*memObjects).writeTo(dir))

		a := archive.New(w.objects)
		snap, err := a.Snapshot(t.Context())
		must(t, err)
		in := w.input(w.vector(false))
		in.FS = vfs.NewMem()
		in.Edges, err = compute.EdgesBefore(t.Context(), a, snap.EdgeEnd())
		must(t, err)
		if !slices.Equal(in.Edges, w.edges) {
			t.Fatalf("edges of the archive %v, not %v", in.Edges, w.edges)
		}
		run, err := compute.Run(t.Context(), in)
		must(t, err)

		var vector []string
		for _, v := range in.Vector {
			vector = append(vector, fmt.Sprintf("%d/%d/%d", v.Epoch, v.Partition, v.Offset))
		}
		out, err := exec.CommandContext(t.Context(), python, "-c", script, dir, strings.Join(vector, " "), "steps.sql").Output()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		slices.Sort(got)
		want := linesOf(t, in.FS, run)
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("SQL says %d lines, of them %q; the run has %d, of them %q", len(got), got[i], len(want), want[i])
				}
			}
			t.Fatalf("SQL says %d lines, the run %d", len(got), len(want))
		}
		t.Logf("%d cells", len(got))
	}
}

// linesOf returns the cells of a run as the script prints them, sorted.
func linesOf(t *testing.T, fs vfs.FS, dir string) (lines []string) {
	t.Helper()
	v, err := views.OpenFS(fs, dir)
	must(t, err)
	defer func() { must(t, v.Close()) }()
	scan := func(view store.ViewID, fn func(head, key string, value []byte) error) {
		for _, g := range views.Granularities {
			must(t, v.ScanURLs(context.Background(), view, g, "", "", 0, 1<<30, func(url []byte, bucket int32, value []byte) error {
				key := fmt.Sprintf("%s %d %d", url, g.Hours(), bucket*g.Hours())
				return fn("views "+key, key, value)
			}))
		}
	}
	visitors := map[string]uint64{}
	scan(views.Uniques, func(_, key string, value []byte) error {
		var u crdt.Merger
		err := u.Add(value, nil)
		visitors[key], _, _, _ = u.Estimate()
		return err
	})
	scan(views.Pageviews, func(head, key string, value []byte) error {
		n, err := crdt.Count(value)
		lines = append(lines, fmt.Sprintf("%s %d %d", head, n, visitors[key]))
		return err
	})
	scan(views.Bounces, func(_, key string, value []byte) error {
		c, err := views.DecodeVisits(value)
		lines = append(lines, fmt.Sprintf("bounces %s %d %d %d %d", key, c.Raw, c.RawBounces, c.Canonical, c.CanonicalBounces))
		return err
	})
	if len(lines) == 0 {
		lines = []string{""}
	}
	slices.Sort(lines)
	return lines
}
