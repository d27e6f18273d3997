package crash

import (
	"flag"
	"testing"
	"time"
)

var (
	crashes    = flag.Int("crashes", 2000, "cuts to live on from")
	runCrashes = flag.Int("run-crashes", 800, "cuts of batch runs to live on from")
	seed       = flag.Uint64("seed", 1, "of the first world")
)

// cutsAWorld is how many cuts one world is good for.
const cutsAWorld = 100

func TestCrashAtEveryWrite(t *testing.T) {
	var r Report
	began := time.Now()
	worlds := 0
	for s := *seed; r.Points < *crashes; s++ {
		worlds++
		if err := Run(World{Seed: s, Cuts: cutsAWorld}, &r); err != nil {
			t.Fatalf("%v\nagain: go test ./sim/crash -run TestCrashAtEveryWrite -crashes 1 -seed %d", err, s)
		}
	}
	if *crashes >= 2000 {
		checkFired(t, &r)
	}
	t.Logf("%d cuts in %d worlds from seed %d on, in %v: %+v", r.Points, worlds, *seed, time.Since(began), r)
}

// TestCrashDuringRuns cuts batch runs at every step of their protocol.
func TestCrashDuringRuns(t *testing.T) {
	var r Report
	began := time.Now()
	for s := *seed; r.Points < *runCrashes; s++ {
		if err := Run(World{Seed: s, Cuts: cutsAWorld, Runs: true}, &r); err != nil {
			t.Fatalf("%v\nagain: go test ./sim/crash -run TestCrashDuringRuns -run-crashes 1 -seed %d", err, s)
		}
	}
	for _, what := range []string{"take", "table", "list", "markers", "marked", "vector", "archive", "compute", "check", "switch", "compare", "leave", "drop", "keep"} {
		if r.Done["run: "+what] == 0 {
			t.Errorf("never happened: step %s", what)
		}
	}
	if *runCrashes >= 600 && (r.Done["run done again"] < 50 || r.Done["run failed"] == 0 || r.Done["rolled back"] == 0) {
		t.Errorf("too little happened: %+v", r)
	}
	t.Logf("%d cuts from seed %d on, in %v: %+v", r.Points, *seed, time.Since(began), r)
}

// checkFired: a fault that never fires proves nothing.
func checkFired(t *testing.T, r *Report) {
	t.Helper()
	for _, kind := range []string{"read of snapshot", "write of snapshot", "read of table", "write of table", "write of log", "answer of the store"} {
		if r.Fired[kind] == 0 {
			t.Errorf("no %s failed", kind)
		}
	}
	for _, what := range []string{"check", "duplicates", "rejected", "rerouted", "markers", "settings changed", "generation dropped", "take-over",
		"zombie at work", "snapshot step", "snapshot given up", "log dropped below a snapshot", "processes ended by an error",
		"store refused, offered again", "processor gave up",
		"run completed", "run failed", "run done again", "rolled back", "answers over batch views", "run: vector", "run: leave"} {
		if r.Done[what] == 0 {
			t.Errorf("never happened: %s", what)
		}
	}
	for depth, n := range r.Again {
		if n == 0 {
			t.Errorf("no cut was followed by %d more", depth)
		}
	}
}
