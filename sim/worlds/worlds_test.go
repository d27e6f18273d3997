package worlds

import (
	"flag"
	"testing"
	"time"
)

var (
	worldCount = flag.Int("worlds", defaultWorlds, "how many worlds to run")
	smaller    = flag.Bool("shrink", true, "make a failing world smaller and tell it step by step")
	firstSeed  = flag.Uint64("seed", 1, "seed of the first world; the next has the next")
)

func TestWorlds(t *testing.T) {
	var cov Coverage
	begin := time.Now()
	if f := Run(*firstSeed, *worldCount, &cov, *smaller); f != nil {
		t.Fatalf("%v\n\nrun it again with: go test ./sim/worlds -run TestWorlds -worlds 1 -seed %d", f, f.Seed)
	}
	t.Logf("seeds from %d, %v: %v", *firstSeed, time.Since(begin).Round(time.Millisecond), &cov)
	if *worldCount >= 2000 {
		for _, m := range cov.Missing() {
			t.Errorf("never came up: %s", m)
		}
	}
}
