package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// flipped damages the nth batch of a log of one partition, and returns how many
// records that has.
func flipped(t *testing.T, data string, nth int) {
	t.Helper()
	path := filepath.Join(data, "queue", "log", "partitions", "pageviews-0", "0.dat")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for range nth {
		next := bytes.Index(b[at+61:], []byte("http://foo.com"))
		if next < 0 {
			t.Fatalf("the log has fewer than %d records", nth)
		}
		at += 61 + next
	}
	b[at] ^= 4
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// appendOnly appends views, a batch each, without a processor.
func appendOnly(t *testing.T, data string, from, to int) {
	t.Helper()
	n, err := OpenBackends(t.Context(), Config{Data: data, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, n)
	for i := from; i < to; i++ {
		viewPagesOnly(t, n, i, i+1)
	}
}

func viewsOf(t *testing.T, n *Node) (views uint64, epochs int) {
	t.Helper()
	a, err := n.engine.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return uint64(a.Counts.Events), len(a.Epochs)
}

// Where damage lies decides: counted and not needed again, nothing follows; never
// counted, the rest is counted; counted and needed, a new log epoch begins. In each
// case it is reported, and what comes later is counted.
func TestDamagedLog(t *testing.T) {
	t.Run("below the snapshot", func(t *testing.T) {
		data := t.TempDir()
		n, _ := testNode(t, Config{Data: data, Partitions: 1})
		for i := range 10 {
			viewPages(t, n, i, i+1)
		}
		closeNode(t, n)
		flipped(t, data, 4)
		n, log := testNode(t, Config{Data: data, Partitions: 1})
		defer closeNode(t, n)
		viewPages(t, n, 10, 20)
		checkDamage(t, n, log, 20, 1)
	})
	t.Run("above the commit", func(t *testing.T) {
		data := t.TempDir()
		n, _ := testNode(t, Config{Data: data, Partitions: 1})
		viewPages(t, n, 0, 1)
		closeNode(t, n)
		appendOnly(t, data, 1, 10)
		flipped(t, data, 4)
		n, log := testNode(t, Config{Data: data, Partitions: 1})
		viewPages(t, n, 10, 20)
		checkDamage(t, n, log, 19, 1)
		closeNode(t, n)
		n, log = testNode(t, Config{Data: data, Partitions: 1}) // what lies above it is committed now
		defer closeNode(t, n)
		viewPages(t, n, 20, 30)
		checkDamage(t, n, log, 29, 1)
	})
	t.Run("between them", func(t *testing.T) {
		data := t.TempDir()
		n, _ := testNode(t, Config{Data: data, Partitions: 1, SnapshotEvery: 1 << 40})
		for i := range 10 {
			viewPages(t, n, i, i+1)
		}
		killed := t.TempDir()
		if err := os.CopyFS(killed, os.DirFS(data)); err != nil {
			t.Fatal(err)
		}
		closeNode(t, n)
		flipped(t, killed, 4)
		n, log := testNode(t, Config{Data: killed, Partitions: 1})
		defer closeNode(t, n)
		viewPages(t, n, 10, 20)
		checkDamage(t, n, log, 20, 2)
		if !strings.Contains(log.String(), "new log epoch begins") {
			t.Errorf("it is not in the log: %s", log)
		}
	})
}

func checkDamage(t *testing.T, n *Node, log *bytes.Buffer, views uint64, epochs int) {
	t.Helper()
	if got, e := viewsOf(t, n); got != views || e != epochs {
		t.Errorf("%d views in %d epochs, want %d in %d: %s", got, e, views, epochs, log)
	}
	info := n.info(t.Context())
	if got := fmt.Sprint(info["log_damage"]); !strings.Contains(got, "pageviews") || !strings.Contains(got, ".damaged") {
		t.Errorf("status has damage %q", got)
	}
	if err := n.ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

// Damage that is met while the node runs is repaired, and the node goes on.
func TestDamageWhileRunning(t *testing.T) {
	data := t.TempDir()
	n, log := testNode(t, Config{Data: data, Partitions: 1})
	defer closeNode(t, n)
	for i := range 10 {
		viewPages(t, n, i, i+1)
	}
	flipped(t, data, 4)
	err := n.queue.ReadAll(t.Context(), 0, 0, 10, func(*kgo.Record) error { return nil })
	why, ok := n.unreadable(err)
	if !ok {
		t.Fatalf("reading a damaged log: %v", err)
	}
	vain := 0
	if _, err := n.repair(t.Context(), why, &vain); err != nil {
		t.Fatal(err)
	}
	viewPages(t, n, 10, 20)
	checkDamage(t, n, log, 20, 1)
}
