package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"speedlayer/query"
	"speedlayer/store"
)

// The store, the views and what is kept beside them stay bounded over fifty runs,
// each of which absorbs new pageviews.
func TestFiftyRunsAreBounded(t *testing.T) {
	data := t.TempDir()
	d := testDaemon(t, data)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	var half int64
	for n := range 50 {
		var body strings.Builder
		for i := range 40 {
			fmt.Fprintf(&body, `{"nonce":"%d-%d","person":"p%d","url":"https://foo.com/%d","ts":"2026-03-01T%02d:10:00Z"}`+"\n", n, i, i, i%7, n%20)
		}
		if status, _, text := do(t, "POST", d.URL()+"/api/v1/pageviews?wait=applied", "application/x-ndjson", body.String()); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		run, err := d.batch.runs.Run(t.Context())
		if err != nil || run.Number != uint32(n+1) {
			t.Fatalf("run %d: %+v, %v", n+1, run, err)
		}
		stats, err := d.store.Stats(t.Context())
		if err != nil || len(stats.Generations) != 2 {
			t.Fatalf("after run %d the store has the generations %v (%v)", run.Number, stats.Generations, err)
		}
		if n == 24 {
			half = stats.DiskBytes
		}
		if n == 49 && stats.DiskBytes > 2*half+1<<20 {
			t.Errorf("the store has %d bytes after 50 runs, %d after 25", stats.DiskBytes, half)
		}
	}
	folders, err := os.ReadDir(filepath.Join(data, "batch", "views"))
	if err != nil || len(folders) != 2 {
		t.Errorf("%d folders of views, %v", len(folders), err)
	}
	a, err := d.engine.Pageviews(t.Context(), query.URLQuery{URL: "foo.com", From: "2026-03-01T00:00Z", To: "2026-03-02T00:00Z"})
	if err != nil || a.Pageviews != 2000 {
		t.Errorf("all pageviews count once: %+v, %v", a, err)
	}
}

// A run that another process works on is a 409, with who it is; when that process
// has been silent for long, it is taken over.
func TestRunOfAnotherProcess(t *testing.T) {
	d := testDaemon(t, t.TempDir())
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	d.batch.runs.Lease = time.Hour
	other := func(renewed time.Time) {
		t.Helper()
		p, err := d.store.Pointer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := p.Counter
		p.Counter++
		p.Running = &store.Running{Run: store.Run{Number: p.Next, Started: 1}, Owner: "another host", Renewed: renewed.UnixMilli()}
		if err := d.store.SwapPointer(t.Context(), before, p); err != nil {
			t.Fatal(err)
		}
	}
	other(time.Now())
	if status, _, text := do(t, "POST", d.URL()+"/api/v1/batch/run", "", ""); status != 409 || !strings.Contains(text, "another host") {
		t.Errorf("another process runs: %d %s", status, text)
	}
	other(time.Now().Add(-2 * time.Hour))
	if status, _, text := do(t, "POST", d.URL()+"/api/v1/batch/run", "", ""); status != 202 {
		t.Errorf("it is silent: %d %s", status, text)
	}
}

func TestBatchDue(t *testing.T) {
	now := time.UnixMilli(10_000_000)
	run := &store.Run{Started: now.Add(-time.Hour).UnixMilli()}
	for _, c := range []struct {
		p      store.Pointer
		opened time.Duration // before now
		want   bool
	}{
		{store.Pointer{}, time.Minute, false},
		{store.Pointer{}, 2 * time.Hour, true},
		{store.Pointer{Current: run}, 3 * time.Hour, false},
		{store.Pointer{Current: run, Running: &store.Running{}}, 0, true},
	} {
		if got := due(&c.p, now.Add(-c.opened), now, 2*time.Hour); got != c.want {
			t.Errorf("%+v, opened %v ago: %v", c.p, c.opened, got)
		}
	}
}
