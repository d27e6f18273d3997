package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"speedlayer/demo"
	"speedlayer/store"
)

// Answers are the same before and behind a batch run, over the API and on the
// data directory; another run drops what the first absorbed; one step back is
// possible.
func TestBatchRun(t *testing.T) {
	data := t.TempDir()
	d := testDaemon(t, data)
	url := d.server.url()
	log := writeFile(t, "access.log.gz", demo.AccessLog)
	done(t, "import", "--server", url, "--format", "combined", "--host", demo.Host, "--bots", "keep", log)
	answers := func(from ...string) string {
		all := ""
		for _, q := range []string{"query pageviews --url", "query uniques --url", "query bounce-rate --domain", "top --domain"} {
			call := append(strings.Fields(q), demo.Host, "--from", demoFrom, "--to", demoTo, "--json")
			all += withoutSources(t, done(t, append(call, from...)...))
		}
		return all + done(t, append([]string{"export"}, from...)...)
	}
	before := answers("--server", url)
	if out := done(t, "batch", "status", "--server", url); !strings.Contains(out, "current      none") {
		t.Errorf("no run yet: %s", out)
	}
	for run, list := range []string{"[0 1]", "[1 2]", "[2 3]"} {
		out := done(t, "batch", "run", "--server", url)
		if !strings.Contains(out, list) {
			t.Errorf("run %d: %s", run+1, out)
		}
		if after := answers("--server", url); after != before {
			t.Fatalf("answers behind run %d are %s\nwere %s", run+1, after, before)
		}
	}
	done(t, "verify", "--server", url)
	done(t, "batch", "rollback", "--server", url)
	if after := answers("--server", url); after != before {
		t.Fatalf("answers behind the rollback are %s\nwere %s", after, before)
	}
	if status, _, errs := call(t, "", "batch", "rollback", "--server", url); status != exitFailed || !strings.Contains(errs, "one step back") {
		t.Errorf("another step back: %d %s", status, errs)
	}
	var found accuracies
	if err := json.Unmarshal([]byte(done(t, "accuracy", "--json", "--server", url)), &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Runs) != 3 || found.Runs[2].Run != 1 || found.Runs[2].Domains != 1 || found.Runs[2].Pages < 100 {
		t.Fatalf("accuracy %+v", found)
	}
	for _, v := range found.Runs[2].Views {
		if v.Cells == 0 || v.Exact != v.Cells || v.Off != 0 {
			t.Errorf("the speed layer was off: %+v", v)
		}
	}
	if out := done(t, "accuracy", "--server", url); !strings.Contains(out, "pageviews") {
		t.Errorf("accuracy as text: %s", out)
	}
	if _, _, body := do(t, "GET", url+"/metrics", "", ""); !strings.Contains(body, `speedlayer_accuracy_exact_ratio{view="bounces"}`) || !strings.Contains(body, "speedlayer_batch_run 2") {
		t.Error("no metrics of the batch layer")
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	done(t, "batch", "run", "--data", data)
	if after := answers("--data", data); after != before {
		t.Fatalf("answers of the data directory are %s\nwere %s", after, before)
	}
	var s batchStatus
	if err := json.Unmarshal([]byte(done(t, "batch", "status", "--data", data, "--json")), &s); err != nil {
		t.Fatal(err)
	}
	if s.Current == nil || s.Current.Number != 4 || s.Previous == nil || s.Previous.Number != 2 || len(s.Generations) != 3 {
		t.Errorf("status %+v", s)
	}
	folders, err := os.ReadDir(filepath.Join(data, "batch", "views"))
	if err != nil || len(folders) != 2 {
		t.Errorf("folders of views %v, %v", folders, err)
	}
}

// withoutSources leaves out what a batch run may change in an answer: where it
// came from, and how.
func withoutSources(t *testing.T, text string) string {
	t.Helper()
	var a map[string]any
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	delete(a, "sources")
	delete(a, "covered")
	for _, part := range []string{"hours", "days"} {
		list, _ := a[part].([]any)
		for _, p := range list {
			delete(p.(map[string]any), "source")
		}
	}
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
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
