package faults

import (
	"math/rand/v2"
	"os"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// onCassandra runs a plan with Cassandra in HBase's place.
func onCassandra(t *testing.T, cfg Config) *Report {
	t.Helper()
	clustertest.Need(t, devcluster.Options{Kafka: true, Cassandra: true})
	if cfg.Program == "" {
		cfg.Program = build(t)
	}
	cfg.Dir, cfg.Rate, cfg.Log = dir(t), min(*rateFlag, 1000), os.Stderr
	if cfg.Seed == 0 {
		if cfg.Seed = *seedFlag; cfg.Seed == 0 {
			cfg.Seed = rand.Uint64()
		}
	}
	if *kindFlag != "" {
		cfg.Kinds = []Kind{Kind(*kindFlag)}
	}
	t.Logf("seed %d: go test ./sim/faults -run %s$ -faults.seed %d", cfg.Seed, t.Name(), cfg.Seed)
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("seed %d: %v", cfg.Seed, err)
	}
	t.Logf("\n%v", r)
	return r
}

// What was acknowledged is counted exactly once, whatever happens to a cluster whose
// store is Cassandra.
func TestClusterCassandra(t *testing.T) {
	cfg := Config{Cassandra: 1, Faults: min(*faultsFlag, len(CassandraKinds))}
	if r := onCassandra(t, cfg); !r.OK() || len(r.Faults) != cfg.Faults {
		t.Errorf("seed %d: what was acknowledged is not what was counted", r.Seed)
	}
}

// A store whose commit row is durable before its cells is found out.
func TestClusterCassandraIsNoticed(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, Cassandra: true})
	cfg := Config{Program: build(t, "-overlay", overlay(t, commitsFirst)), Cassandra: 1, Seed: 3, Faults: 4, Kinds: []Kind{TearCommit}}
	r := onCassandra(t, cfg)
	if r.OK() || r.Lost == 0 || r.Differences == 0 {
		t.Errorf("with the commit row before its cells nothing was found:\n%v", r)
	}
}
