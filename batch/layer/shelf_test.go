package layer

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"speedlayer/batch/views"
	"speedlayer/internal/external"
	"speedlayer/internal/objects"
	"speedlayer/store"
)

// shared are two processes, each with a folder of its own, and what they share.
func shared(t *testing.T, url string) (runs, asks *Layer) {
	t.Helper()
	var all []*Layer
	for range 2 {
		l := New(Config{Dir: t.TempDir(), Views: url})
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
		all = append(all, l)
	}
	return all[0], all[1]
}

// published makes the views of a run as [Layer.Compute] leaves them.
func published(t *testing.T, l *Layer, number uint32) store.Run {
	t.Helper()
	run := made(t, l.cfg.Dir, number, "a")
	s, err := l.shelf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.publish(t.Context(), filepath.Join(l.path("views"), run.Views)); err != nil {
		t.Fatal(err)
	}
	return run
}

func countOf(t *testing.T, l *Layer, run store.Run) uint64 {
	t.Helper()
	h, err := l.Views(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	return count(t, h)
}

func folders(t *testing.T, l *Layer) (names []string) {
	t.Helper()
	found, err := os.ReadDir(l.path("views"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.IsDir() {
			names = append(names, f.Name())
		}
	}
	return names
}

// A process reads runs that another made: it fetches each once, however many ask,
// keeps few, and gets back what it has removed. What no pointer names leaves the
// shelf.
func TestShelf(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) string{"folder": func(t *testing.T) string { return t.TempDir() }, "S3": external.Seaweed} {
		t.Run(name, func(t *testing.T) { testShelf(t, open(t)) })
	}
}

func testShelf(t *testing.T, url string) {
	runs, asks := shared(t, url)
	var all []store.Run
	for n := uint32(1); n <= 5; n++ {
		run := published(t, runs, n)
		all = append(all, run)
		var asked sync.WaitGroup
		for range 8 {
			asked.Go(func() {
				if got := countOf(t, asks, run); got != uint64(n) {
					t.Errorf("run %d counts %d", n, got)
				}
			})
		}
		asked.Wait()
	}
	if left := folders(t, asks); len(left) > keptOpen+1 || !slices.Contains(left, all[4].Views) {
		t.Errorf("the folder has %v", left)
	}
	if got := countOf(t, asks, all[0]); got != 1 { // as after a rollback
		t.Errorf("run 1 counts %d when it is fetched again", got)
	}
	if err := runs.Keep(t.Context(), all[3:], 6); err != nil {
		t.Fatal(err)
	}
	s, err := runs.shelf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	if err := s.objects.List(t.Context(), "run-", func(name string, _ int64) error {
		run, _, _ := strings.Cut(name, "/")
		there[run] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(there) != 2 || !there[all[3].Views] || !there[all[4].Views] {
		t.Errorf("on the shelf are %v", there)
	}
	if _, err := asks.Views(t.Context(), all[1]); !errors.Is(err, objects.ErrNotFound) || !strings.Contains(err.Error(), "run 2") {
		t.Errorf("a run that is gone: %v", err)
	}
	testNotes(t, runs, asks)
}

func testNotes(t *testing.T, runs, asks *Layer) {
	for _, n := range []uint32{1, 2, 2} { // the second run was cut short, and compared again
		if err := runs.Note(t.Context(), n, []byte{byte('0' + n)}); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := asks.Notes(t.Context(), 9); err != nil || len(all) != 2 || string(all[0]) != "2" {
		t.Errorf("%d notes, %v", len(all), err)
	}
}

// What was changed on the shelf, or cut, is refused, by name; nothing of it stays.
func TestShelfCorrupt(t *testing.T) {
	for what, change := range map[string]func(name string, b []byte) []byte{
		"a bit":  func(name string, b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut":    func(name string, b []byte) []byte { return b[:len(b)-1] },
		"longer": func(name string, b []byte) []byte { return append(b, 0) },
	} {
		for _, file := range []string{"0000-pageviews-hour.sst", "0000-bounces-month.sst", views.MetaName} {
			url := t.TempDir()
			runs, asks := shared(t, url)
			run := published(t, runs, 1)
			path := filepath.Join(url, run.Views, file)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, change(file, b), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := asks.Views(t.Context(), run); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), file) {
				t.Errorf("%s of %s: %v", what, file, err)
			}
			if left := folders(t, asks); len(left) != 0 {
				t.Errorf("%s of %s: the folder has %v", what, file, left)
			}
			s, err := runs.shelf(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.publish(t.Context(), filepath.Join(runs.path("views"), run.Views)); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("%s of %s: put there again: %v", what, file, err)
			}
		}
	}
}

// A folder that two processes fetch into is refused.
func TestShelfFolderOfAnother(t *testing.T) {
	url, dir := t.TempDir(), t.TempDir()
	one, two := New(Config{Dir: dir, Views: url}), New(Config{Dir: dir, Views: url})
	if err := one.OpenShelf(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := two.OpenShelf(t.Context()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if err := two.OpenShelf(t.Context()); err != nil {
		t.Errorf("when the other one has ended: %v", err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
}

// errCut is what an operation says at which a process is cut short.
var errCut = errors.New("cut short")

// cutting fails at one operation and all that follow, before or after it is done.
type cutting struct {
	objects.Store
	mu    sync.Mutex
	left  int // operations that go well
	after bool
}

func (c *cutting) do(op func() error) error {
	c.mu.Lock()
	c.left--
	left := c.left
	c.mu.Unlock()
	switch {
	case left >= 0:
		return op()
	case left == -1 && c.after:
		return errors.Join(op(), errCut)
	}
	return errCut
}

func (c *cutting) Create(ctx context.Context, name string, from io.Reader, size int64) error {
	return c.do(func() error { return c.Store.Create(ctx, name, from, size) })
}

func (c *cutting) Open(ctx context.Context, name string) (o objects.Object, err error) {
	err = c.do(func() (err error) { o, err = c.Store.Open(ctx, name); return err })
	if err != nil && o != nil {
		err = errors.Join(err, o.Close())
	}
	return o, err
}

func (c *cutting) Delete(ctx context.Context, name string) error {
	return c.do(func() error { return c.Store.Delete(ctx, name) })
}

// Cut short at any operation, a run that is put on the shelf is not there until it
// is whole, one that is fetched is not in the folder, and one that is removed is
// no longer one; the next attempt succeeds.
func TestShelfCutShort(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := range 200 {
			url := t.TempDir()
			runs, asks := shared(t, url)
			run := made(t, runs.cfg.Dir, 1, "a")
			folder := filepath.Join(runs.path("views"), run.Views)
			made, err := runs.shelf(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fetched, err := asks.shelf(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			whole := func() bool { return exists(filepath.Join(url, run.Views, views.MetaName)) }
			cut := &cutting{Store: made.objects, left: at, after: after}
			err1 := (&shelf{cut}).publish(t.Context(), folder)
			if err1 != nil && (!errors.Is(err1, errCut) || whole() && !after) {
				t.Fatalf("operation %d: %v, whole %v", at, err1, whole())
			}
			if err := made.publish(t.Context(), folder); err != nil {
				t.Fatalf("operation %d: again: %v", at, err)
			}
			cut = &cutting{Store: fetched.objects, left: at, after: after}
			err2 := (&shelf{cut}).fetch(t.Context(), run.Views, asks.path("views"))
			if err2 != nil && (!errors.Is(err2, errCut) || len(folders(t, asks)) != 0) {
				t.Fatalf("operation %d: %v, the folder has %v", at, err2, folders(t, asks))
			}
			if got := countOf(t, asks, run); got != 1 {
				t.Fatalf("operation %d: counts %d", at, got)
			}
			cut = &cutting{Store: made.objects, left: at, after: after}
			all := func(string) bool { return true }
			err3 := (&shelf{cut}).clear(t.Context(), all)
			if err3 != nil && (!errors.Is(err3, errCut) || whole() && (at > 0 || after)) {
				t.Fatalf("operation %d: %v, whole %v", at, err3, whole())
			}
			if err := made.clear(t.Context(), all); err != nil || whole() {
				t.Fatalf("operation %d: again: %v", at, err)
			}
			if err1 == nil && err2 == nil && err3 == nil {
				if at < 14 { // files of a run
					t.Fatalf("nothing was cut short at operation %d", at)
				}
				break
			}
		}
	}
}
