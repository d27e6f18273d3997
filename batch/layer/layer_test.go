package layer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/views"
	"speedlayer/crdt"
	"speedlayer/store"
)

// made makes the views of a run, with one cell whose count is the run's number.
func made(t *testing.T, dir string, number uint32, key string) store.Run {
	t.Helper()
	run := store.Run{Number: number, Vector: []store.VectorEntry{{Offset: int64(number)}}, Views: fmt.Sprintf("run-%06d-%s", number, key)}
	at := filepath.Join(dir, "views", run.Views)
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := views.CreatePart(vfs.Default, at, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(views.Pageviews, views.Hour, "foo.com", 1, crdt.AppendCount(nil, uint64(number))); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := views.Finish(vfs.Default, at, run, 1, nil, nil); err != nil {
		t.Fatal(err)
	}
	return run
}

func count(t *testing.T, h *Handle) (n uint64) {
	t.Helper()
	if err := h.Scan(views.Pageviews, views.Hour, "foo.com", 0, 9, func(_ int32, value []byte) (err error) {
		n, err = crdt.Count(value)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// A reader keeps its run readable while others are opened and removed; what is
// open is bounded.
func TestViewsWhileRunsGo(t *testing.T) {
	dir := t.TempDir()
	l := New(Config{Dir: dir})
	first := made(t, dir, 1, "a")
	h, err := l.Views(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	for n := uint32(2); n < 8; n++ {
		run := made(t, dir, n, "a")
		other, err := l.Views(t.Context(), run)
		if err != nil || count(t, other) != uint64(n) {
			t.Fatal(n, err)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Keep(t.Context(), []store.Run{run}, n+1); err != nil {
			t.Fatal(err)
		}
		if len(l.opened.runs) > keptOpen+1 {
			t.Fatalf("%d runs are open", len(l.opened.runs))
		}
	}
	if count(t, h) != 1 {
		t.Error("the first run cannot be read any more by who had it open")
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Views(t.Context(), first); err == nil {
		t.Error("a run that is gone can be opened")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Keep leaves what it is told of, both results of a run that has not said which
// is its own, and runs that came since.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	l := New(Config{Dir: dir})
	made(t, dir, 1, "a")
	current, other := made(t, dir, 2, "a"), made(t, dir, 2, "b")
	made(t, dir, 3, "a")
	made(t, dir, 3, "b")
	made(t, dir, 9, "a")
	running := store.Run{Number: 3}
	if err := l.Keep(t.Context(), []store.Run{current, running}, 4); err != nil {
		t.Fatal(err)
	}
	found, err := os.ReadDir(filepath.Join(dir, "views"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
	}
	if want := []string{"run-000002-a", "run-000003-a", "run-000003-b", "run-000009-a"}; !slices.Equal(names, want) {
		t.Errorf("kept are %v, want %v; %s is another result of run 2", names, want, other.Views)
	}
}

// Views of another run or vector, or of none, are refused.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	l := New(Config{Dir: dir})
	run := made(t, dir, 1, "a")
	if err := l.Check(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(r *store.Run){
		"another vector": func(r *store.Run) { r.Vector = []store.VectorEntry{{Offset: 7}} },
		"another number": func(r *store.Run) { r.Number = 2 },
		"no name":        func(r *store.Run) { r.Views = "" },
		"a path":         func(r *store.Run) { r.Views = "../views/" + r.Views },
		"gone":           func(r *store.Run) { r.Views = "run-000001-b" },
	} {
		r := run
		change(&r)
		if err := l.Check(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNotes(t *testing.T) {
	l := New(Config{Dir: t.TempDir()})
	for n := range uint32(keptNotes + 5) {
		if err := l.Note(t.Context(), n, fmt.Appendf(nil, "%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := l.Notes(t.Context(), 1000); err != nil || len(all) != keptNotes || string(all[0]) != "104" {
		t.Errorf("%d notes, %v", len(all), err)
	}
}
