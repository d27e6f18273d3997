package onspark

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
	"speedlayer/queue"
)

var (
	faultsFlag = flag.Int("spark.faults", 4, "faults of TestClusterSpark")
	seedFlag   = flag.Uint64("spark.seed", 0, "seed of TestClusterSpark; 0 is a random one")
	kindFlag   = flag.String("spark.kind", "", "the only kinds of faults in TestClusterSpark, with commas between them")
	rateFlag   = flag.Int("spark.rate", 200, "pageviews a second in TestClusterSpark")
)

// real is the cluster of all tests here.
var real = &clustertest.Shared{Options: devcluster.Options{Kafka: true, HBase: true, Spark: true}}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(real.Main(m))
}

// Spark's at-least-once tasks count exactly once, whatever happens to Spark.
func TestClusterSpark(t *testing.T) {
	cluster := real.Get(t)
	cfg := Config{Program: build(t), Dir: dir(t), Cluster: cluster, Seed: *seedFlag, Faults: *faultsFlag, Kinds: Kinds, Rate: *rateFlag, Log: os.Stderr}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	if *kindFlag != "" {
		cfg.Kinds = nil
		for kind := range strings.SplitSeq(*kindFlag, ",") {
			cfg.Kinds = append(cfg.Kinds, Kind(kind))
		}
	}
	cfg.Prefix = fmt.Sprintf("s%x", rand.Uint32())
	t.Logf("seed %d: go test ./sim/onspark -run TestClusterSpark -spark.faults %d -spark.seed %d -spark.kind %q", cfg.Seed, cfg.Faults, cfg.Seed, *kindFlag)
	empty(t, cluster)
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("seed %d: %v", cfg.Seed, err)
	}
	t.Logf("\n%v", r)
	if !r.OK() || len(r.Faults) != cfg.Faults {
		t.Errorf("seed %d: what was acknowledged is not what was counted", cfg.Seed)
	}
}

// empty removes the log that an earlier test left.
func empty(t *testing.T, c *devcluster.Cluster) {
	t.Helper()
	client, err := queue.Connect(t.Context(), queue.Config{Brokers: c.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.DeleteTopics(t.Context()); err != nil {
		t.Log(err)
	}
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "speedlayer")
	cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", program, "speedlayer/cmd/speedlayer")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// dir is where a run's logs are; they stay when it failed.
func dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "speedlayer-onspark-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes printed is in %s", dir)
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
