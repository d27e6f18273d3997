package faults

import (
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

var (
	faultsFlag  = flag.Int("faults", 8, "faults of TestClusterFaults")
	seedFlag    = flag.Uint64("faults.seed", 0, "seed of TestClusterFaults; 0 is a random one")
	hdfsFlag    = flag.Bool("faults.hdfs", false, "TestClusterFaults with HBase on HDFS, and region servers that are paused")
	kindFlag    = flag.String("faults.kind", "", "the only kind of fault in TestClusterFaults")
	brokersFlag = flag.Int("faults.brokers", 1, "brokers of TestClusterFaults: 1 or 3")
	batchFlag   = flag.Int("faults.batch", 10, "faults of TestClusterBatchRuns")
	rateFlag    = flag.Int("faults.rate", 8000, "pageviews a second in TestClusterFaults")
	runRateFlag = flag.Int("faults.batchrate", 4000, "pageviews a second in TestClusterBatchRuns, whose runs take longer the more there are")
)

// The same while batch runs absorb the log, of whose processes and servers
// something is killed in each: no gap and no double count after any, and tables
// that are dropped.
func TestClusterBatchRuns(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, HBase: true})
	cfg := Config{Program: build(t), Dir: dir(t), Seed: *seedFlag, Faults: *batchFlag, Kinds: BatchKinds, Batch: true, Rate: *runRateFlag, Log: os.Stderr}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	t.Logf("seed %d: go test ./sim/faults -run TestClusterBatchRuns -faults.batch %d -faults.seed %d", cfg.Seed, cfg.Faults, cfg.Seed)
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("seed %d: %v", cfg.Seed, err)
	}
	t.Logf("\n%v", r)
	if !r.OK() || len(r.Faults) != cfg.Faults || len(r.Runs) != 3 {
		t.Errorf("seed %d: what was acknowledged is not what was counted", cfg.Seed)
	}
}

// build builds the program, with some files in place of others.
func build(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "speedlayer")
	cmd := exec.Command("go", append(append([]string{"build", "-o", program}, args...), "speedlayer/cmd/speedlayer")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// What was acknowledged is counted exactly once, whatever happens to the cluster.
func TestClusterFaults(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, HBase: true})
	cfg := Config{Program: build(t), Dir: dir(t), Seed: *seedFlag, Faults: *faultsFlag, Brokers: *brokersFlag, HDFS: *hdfsFlag, Rate: *rateFlag, Log: os.Stderr}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	if *kindFlag != "" {
		cfg.Kinds = []Kind{Kind(*kindFlag)}
	}
	t.Logf("seed %d: go test ./sim/faults -run TestClusterFaults$ -faults %d -faults.seed %d -faults.brokers %d -faults.hdfs=%v", cfg.Seed, cfg.Faults, cfg.Seed, cfg.Brokers, cfg.HDFS)
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("seed %d: %v", cfg.Seed, err)
	}
	t.Logf("\n%v", r)
	if !r.OK() || len(r.Faults) != cfg.Faults {
		t.Errorf("seed %d: what was acknowledged is not what was counted", cfg.Seed)
	}
}

// dir is where a run's logs are; they stay when it failed.
func dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "speedlayer-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes said is in %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A plan is its seed's, and no kind comes twice before all were there.
func TestPlan(t *testing.T) {
	plan := Plan(7, 2*len(Kinds), Kinds)
	if !slices.Equal(plan, Plan(7, 2*len(Kinds), Kinds)) || slices.Equal(plan, Plan(8, 2*len(Kinds), Kinds)) {
		t.Error("a plan is not that of its seed")
	}
	for i := 0; i < len(plan); i += len(Kinds) {
		seen := map[Kind]bool{}
		for _, f := range plan[i : i+len(Kinds)] {
			seen[f.Kind] = true
		}
		if len(seen) != len(Kinds) {
			t.Errorf("faults %d to %d are of %d kinds", i, i+len(Kinds), len(seen))
		}
	}
}
