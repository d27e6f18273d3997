package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/view"
)

func testNode(t *testing.T, o Config) (*Node, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	n, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return n, &log
}

// viewPages appends pageviews of foo.com with nonces from..to-1 and waits until they
// are queryable.
func viewPages(t *testing.T, n *Node, from, to int) {
	t.Helper()
	viewPagesOnly(t, n, from, to)
	if err := n.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// viewPagesOnly appends them and does not wait.
func viewPagesOnly(t *testing.T, n *Node, from, to int) {
	t.Helper()
	var all []queue.Message
	for i := from; i < to; i++ {
		person := fmt.Appendf(nil, "person %d", i)
		all = append(all, queue.Message{Person: person, Value: event.AppendJSON(nil, &event.Pageview{
			Nonce: fmt.Appendf(nil, "%d", i), HasNonce: true, Person: person, URL: []byte("http://foo.com/a"),
			TS: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC).UnixMilli()})})
	}
	if _, err := n.queue.AppendSync(t.Context(), all); err != nil {
		t.Error(err)
	}
}

func wantViews(t *testing.T, n *Node, want uint64) {
	t.Helper()
	a, err := n.engine.Pageviews(t.Context(), query.URLQuery{URL: "foo.com/a", From: "2026-01-05T10:00Z", To: "2026-01-05T11:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	if a.Pageviews != want {
		t.Errorf("%d pageviews, want %d", a.Pageviews, want)
	}
}

func closeNode(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// A log that is not the one the store was made from is noticed at start, said,
// and begins a new log epoch; what was counted stays, and nothing new vanishes.
func TestLogMadeAnew(t *testing.T) {
	data := t.TempDir()
	n, _ := testNode(t, Config{Data: data})
	viewPages(t, n, 0, 100)
	closeNode(t, n)
	if err := os.RemoveAll(filepath.Join(data, "queue")); err != nil {
		t.Fatal(err)
	}
	n, log := testNode(t, Config{Data: data})
	defer closeNode(t, n)
	if !strings.Contains(log.String(), "new log epoch begins") || !strings.Contains(log.String(), "recreated") {
		t.Errorf("it was not said: %s", log)
	}
	wantViews(t, n, 100)
	viewPages(t, n, 200, 250) // their offsets lie below the commits of the old log
	wantViews(t, n, 150)
}

// A log that lost its last writes with the power ends below the commits.
func TestLogEndsBelowCommit(t *testing.T) {
	data := t.TempDir()
	n, _ := testNode(t, Config{Data: data})
	viewPages(t, n, 0, 100)
	closeNode(t, n)
	old := filepath.Join(t.TempDir(), "queue")
	if err := os.CopyFS(old, os.DirFS(filepath.Join(data, "queue"))); err != nil {
		t.Fatal(err)
	}
	n, _ = testNode(t, Config{Data: data})
	viewPages(t, n, 100, 200)
	closeNode(t, n)
	if err := os.RemoveAll(filepath.Join(data, "queue")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(data, "queue"), os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	n, log := testNode(t, Config{Data: data})
	defer closeNode(t, n)
	if !strings.Contains(log.String(), "new log epoch begins") || !strings.Contains(log.String(), "its last writes were lost") {
		t.Errorf("it was not said: %s", log)
	}
	wantViews(t, n, 200)
	viewPages(t, n, 300, 350)
	wantViews(t, n, 250)
}

// Settings that change results take effect after markers, in a generation of
// their own; what was counted stays.
func TestSettingsChange(t *testing.T) {
	data := t.TempDir()
	n, _ := testNode(t, Config{Data: data})
	viewPages(t, n, 0, 100)
	closeNode(t, n)
	s := view.Defaults()
	s.DedupeWindow = 2 * time.Hour.Milliseconds()
	// A start with others takes the store's, and reports it; again and again.
	for range 3 {
		n, log := testNode(t, Config{Data: data, Settings: s})
		if strings.Contains(log.String(), "generation begins") || !strings.Contains(log.String(), "other settings than the store has") {
			t.Errorf("a start with other settings: %s", log)
		}
		if differ := fmt.Sprint(n.info(t.Context())["settings_differ"]); !strings.Contains(differ, "started with") {
			t.Errorf("status says %q", differ)
		}
		closeNode(t, n)
	}
	n, log := testNode(t, Config{Data: data, Settings: s, ApplySettings: true})
	if !strings.Contains(log.String(), "a new generation begins") {
		t.Errorf("it was not said: %s", log)
	}
	viewPages(t, n, 50, 150) // half of them are remembered from before
	wantViews(t, n, 150)
	closeNode(t, n)
	// Who only looks keeps the settings that are there.
	n, log = testNode(t, Config{Data: data, Keep: true})
	defer closeNode(t, n)
	if strings.Contains(log.String(), "generation begins") {
		t.Errorf("looking began a generation: %s", log)
	}
	a, err := n.engine.Status(t.Context())
	if err != nil || fmt.Sprint(a.Generations) != "[0 1]" {
		t.Errorf("generations are %v, %v", a.Generations, err)
	}
}

// The user's bound drops what is over it and no snapshot needs, and reports it;
// without a bound nothing is dropped.
func TestLogBound(t *testing.T) {
	n, log := testNode(t, Config{Data: t.TempDir(), Partitions: 1})
	defer closeNode(t, n)
	viewPages(t, n, 0, 1000)
	starts := func() int64 {
		info, err := n.queue.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.Starts[0]
	}
	drop := func(bound, snapshot int64) int64 {
		t.Helper()
		n.opts.MaxLogBytes = bound
		n.keeper.snapshotted(0, snapshot)
		if err := n.keeper.drop(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		return starts()
	}
	if got := drop(0, 1000); got != 0 || log.Len() > 0 {
		t.Errorf("without a bound the log begins at %d: %s", got, log)
	}
	if got := drop(1, 400); got != 400 {
		t.Errorf("a snapshot needs the log from 400; it begins at %d", got)
	}
	if !strings.Contains(log.String(), "records dropped") {
		t.Errorf("it was not said: %s", log)
	}
}
