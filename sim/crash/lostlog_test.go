package crash

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// readWorld is what is left of a process that read its log to the end.
func readWorld(t *testing.T, rng *rand.Rand, r *Report, steps int, w World) (*life, cut) {
	t.Helper()
	l := newLife(w, r, freshCut(rng), rng)
	l.steps = steps
	if err := l.run(); err != nil {
		t.Fatal(err)
	}
	return l, cut{disk: l.disk.CrashClone(vfs.CrashCloneCfg{}), log: l.log, known: l.known, old: l.oracle, results: l.layer.Copy()}
}

// The store's last writes were synced, the queue's were lost with the power: the
// log ends below the commit. A new log epoch begins, in which what now takes the
// lost offsets counts in full, wherever this is cut.
func TestLogEndsBelowTheCommit(t *testing.T) {
	var r Report
	worlds := 0
	for s := *seed; worlds < 20; s++ {
		rng := rand.New(rand.NewPCG(s, 99))
		_, c := readWorld(t, rng, &r, 60, World{})
		part := rng.Int32N(int32(len(c.log.parts)))
		// What is below the snapshot is not there any more, so it cannot be lost.
		kept := len(c.log.from(part, c.log.parts[part].start))
		if kept == 0 {
			continue
		}
		worlds++
		commit := c.log.parts[part].next
		c.log.cutEnd(part, 1+rng.IntN(kept))
		end := c.log.parts[part].next
		l := newLife(World{}, &r, c, rng)
		l.steps = 40
		var cuts []cut
		l.faults.cut = func(n int, op errorfs.Op) {
			if n%9 == 0 {
				cuts = append(cuts, l.cutHere(rand.New(rand.NewPCG(s, uint64(n))), n, op))
			}
		}
		if err := l.run(); err != nil {
			t.Fatalf("seed %d: %v", s, err)
		}
		if !strings.Contains(l.epoch.Reason, "last writes were lost") || l.epoch.Starts[part] != end {
			t.Fatalf("seed %d: the log ended at %d, the commit was %d: %+v", s, end, commit, l.epoch)
		}
		for i, next := range cuts {
			if err := resume(World{}, &r, next, rand.New(rand.NewPCG(s, uint64(i)+100)), 0); err != nil {
				t.Fatalf("seed %d: %v", s, err)
			}
		}
	}
	t.Logf("%d cuts in %d worlds", r.Points, worlds)
}

// Who goes on in the old epoch loses what comes under the offsets below the
// commit, silently: so the test above can fail.
func TestOldEpochLosesEvents(t *testing.T) {
	var r Report
	l, c := readWorld(t, rand.New(rand.NewPCG(*seed, 98)), &r, 0, World{NoRuns: true})
	for part := range c.log.parts {
		for n := len(c.log.parts[part].recs); n > 0; n = 0 {
			c.log.cutEnd(int32(part), n)
		}
	}
	l.traffic.append(c.log, 40)
	c.log.incarnations, c.old = 0, nil
	again := newLife(World{}, &r, c, l.rng)
	if err := again.open(); err != nil {
		t.Fatal(err)
	}
	defer again.pebble.Close()
	again.epoch = l.epoch
	for part := range c.log.parts {
		p, err := again.pick(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Process(context.Background(), c.log.from(int32(part), p.Next())); err != nil {
			t.Fatal(err)
		}
		if err := p.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	err := again.checkAll()
	if err == nil || !strings.Contains(err.Error(), "cell") {
		t.Errorf("no cell is wrong, so the test above shows nothing: %v", err)
	}
	t.Log(err)
}
