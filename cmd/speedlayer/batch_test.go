package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/demo"
	"speedlayer/node"
)

// Answers are the same before and after a batch run, over the API and on the
// data directory; another run drops what the first absorbed; one step back is
// possible.
func TestBatchRun(t *testing.T) {
	data := t.TempDir()
	d := testNode(t, data)
	url := d.URL()
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
			t.Fatalf("answers after run %d are %s\nwere %s", run+1, after, before)
		}
	}
	done(t, "verify", "--server", url)
	done(t, "batch", "rollback", "--server", url)
	if after := answers("--server", url); after != before {
		t.Fatalf("answers after the rollback are %s\nwere %s", after, before)
	}
	if status, _, errs := call(t, "", "batch", "rollback", "--server", url); status != exitFailed || !strings.Contains(errs, "one step back") {
		t.Errorf("another step back: %d %s", status, errs)
	}
	var found node.Accuracies
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
	if body := get(t, url+"/metrics"); !strings.Contains(body, `speedlayer_accuracy_exact_ratio{view="bounces"}`) || !strings.Contains(body, "speedlayer_batch_run 2") {
		t.Error("no metrics of the batch layer")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	done(t, "batch", "run", "--data", data)
	if after := answers("--data", data); after != before {
		t.Fatalf("answers of the data directory are %s\nwere %s", after, before)
	}
	var s node.BatchStatus
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

// testNode opens a node with HTTP, which the test closes.
func testNode(t *testing.T, data string) *node.Node {
	t.Helper()
	n, err := node.Open(t.Context(), node.Config{Data: data, HTTP: &node.HTTPConfig{Listen: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
