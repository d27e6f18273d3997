package topologies

import (
	"flag"
	"testing"
)

var (
	worldCount = flag.Int("worlds", 300, "how many worlds to run")
	firstSeed  = flag.Uint64("seed", 1, "seed of the first world; the next has the next")
)

func TestTopologies(t *testing.T) {
	var cov Coverage
	for seed := *firstSeed; seed < *firstSeed+uint64(*worldCount); seed++ {
		if err := Run(seed, &cov); err != nil {
			t.Fatalf("%v\n\nrun it again with: go test ./sim/topologies -worlds 1 -seed %d", err, seed)
		}
	}
	t.Logf("seeds from %d: %v", *firstSeed, &cov)
	if *worldCount >= 300 {
		for _, m := range cov.Missing() {
			t.Errorf("never came up: %s", m)
		}
	}
}
