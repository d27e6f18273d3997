package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/node"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/verify"
)

// spoiled is a data directory whose store has one commit that is not what the
// log says.
func spoiled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := node.Open(t.Context(), node.Config{Data: dir})
	must(err)
	var messages []queue.Message
	for _, p := range []string{"anna", "ben", "carl"} {
		messages = append(messages, queue.Message{Person: []byte(p), Value: []byte(`{"person":"` + p + `","url":"http://foo.com/","ts":1700000000000}`)})
	}
	_, err = n.Queue().AppendSync(t.Context(), messages)
	must(err)
	must(n.CatchUp(t.Context()))
	must(n.Close())

	r, err := openForReading(t.Context(), dir)
	must(err)
	at, err := r.Queue().AppendSync(t.Context(), messages[:1])
	must(err)
	must(r.Close())
	s, err := pebble.Open(pebble.Options{Dir: filepath.Join(dir, "store")})
	must(err)
	must(s.Apply(t.Context(), &store.Batch{
		Shard:  store.Shard{Partition: at[0].Partition},
		Cells:  []store.Cell{{Key: store.Key{View: 1, URL: "evil.com", Hour: 7}, Version: at[0].Offset + 1, Value: []byte{1}}},
		Commit: store.Commit{Offset: at[0].Offset + 1, Record: (&store.CommitRecord{}).Append(nil)},
	}))
	must(s.Close())
	return dir
}

func TestVerifyFindsIt(t *testing.T) {
	dir := spoiled(t)
	status, out, errs := runCommand(t, "verify", "--data", dir)
	if status != exitFailed || !strings.Contains(out, "evil.com") || !strings.Contains(errs, "differences") {
		t.Errorf("status %d:\n%s%s", status, out, errs)
	}
	status, out, _ = runCommand(t, "verify", "--data", dir, "--json")
	var r verify.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != exitFailed {
		t.Fatalf("status %d, %v: %s", status, err, out)
	}
	for _, kind := range []string{verify.KindExtra, verify.KindBehind, verify.KindCommit} {
		if r.ByKind[kind] == 0 {
			t.Errorf("no difference of kind %s: %s", kind, out)
		}
	}
}

func TestVerifyUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--data", "x", "--server", "http://y"}, {"--data", "x", "--kafka", "y:1"}, {"--data", filepath.Join(t.TempDir(), "none")},
		{"--server", "ftp://x"}, {"more"},
	} {
		if status, out, errs := runCommand(t, append([]string{"verify"}, args...)...); status != exitUsage || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("verify %v: status %d, %q", args, status, errs)
		}
	}
	if status, _, errs := runCommand(t, "verify", "--server", "http://127.0.0.1:1"); status != exitFailed || !strings.Contains(errs, "127.0.0.1:1") {
		t.Errorf("no server: status %d, %q", status, errs)
	}
}

func TestReachable(t *testing.T) {
	for _, c := range [][3]string{
		{"127.0.0.1:9092", "far", "127.0.0.1:9092"}, {"0.0.0.0:9092", "far", "far:9092"}, {"[::]:9092", "::1", "[::1]:9092"},
		{":9092", "far", "far:9092"}, {"kafka:9092", "far", "kafka:9092"},
	} {
		if got := reachable(c[0], c[1]); got != c[2] {
			t.Errorf("reachable(%q, %q) is %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
