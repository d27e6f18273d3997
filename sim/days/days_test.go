package days

import (
	"context"
	"flag"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"speedlayer/store"
)

var (
	seeds = flag.Int("seeds", 10, "simulations")
	seed  = flag.Uint64("seed", 1, "of the first one")
	span  = flag.Int("days", 2, "of virtual time in each")
)

// ramDir is a directory in memory, where there is one: the broker syncs.
func ramDir(t *testing.T) string {
	t.Helper()
	const shm = "/dev/shm"
	if _, err := os.Stat(shm); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "speedlayer-days-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func simulate(t *testing.T, o Options) (n map[string]int, err error) {
	t.Helper()
	o.Dir = ramDir(t)
	synctest.Test(t, func(t *testing.T) { n, err = Run(o) })
	return n, err
}

func TestDays(t *testing.T) {
	sum := map[string]int{}
	for s := *seed; s < *seed+uint64(*seeds); s++ {
		began := time.Now()
		n, err := simulate(t, Options{Seed: s, Days: *span})
		if err != nil {
			t.Fatalf("seed %d: %v\n%v\nagain: go test ./sim/days -run TestDays -seeds 1 -seed %d -days %d", s, err, n, s, *span)
		}
		t.Logf("seed %d: %v in %v", s, n, time.Since(began))
		for what, k := range n {
			sum[what] += k
		}
	}
	if *seeds < 10 {
		return
	}
	for _, what := range []string{
		"restarts", "kills", "settings changed", "nights", "nights after a kill", "zombies", "broker restarts", "partitions added",
		"topics recreated", "log epochs", "generations by settings", "take-overs", "snapshots", "commits", "checks",
		"slow calls of the store", "calls of the store refused", "calls while the store was away", "answers of the store lost",
		"appends tried again", "late pageviews", "pageviews sent twice", "broken pageviews", "rerouted", "rejected", "duplicates", "markers",
		"batch runs", "batch runs failed", "kills during batch runs", "rollbacks", "generations dropped",
	} {
		if sum[what] == 0 {
			t.Errorf("never happened: %s", what)
		}
	}
}

// The simulation can fail: a store that answers and leaves cells out.
func TestDroppedPutIsNoticed(t *testing.T) {
	n, err := simulate(t, Options{Seed: *seed, Days: 1, Wrap: func(s store.Store) store.Store { return &dropping{Store: s} }})
	if err == nil {
		t.Fatalf("not noticed: %v", n)
	}
	t.Log(err)
}

// dropping is called by the processors of all partitions. It drops more than
// once: a cell may be put again, whole, with its next change.
type dropping struct {
	store.Store
	calls atomic.Int64
}

func (d *dropping) Apply(ctx context.Context, b *store.Batch) error {
	if d.calls.Add(1) > 20 && len(b.Cells) > 1 {
		left := *b
		left.Cells = b.Cells[1:]
		return d.Store.Apply(ctx, &left)
	}
	return d.Store.Apply(ctx, b)
}
