package torture

import (
	"math/rand/v2"
	"time"
)

// When defines in which part of its life an instance is killed.
type When string

// The times to kill.
const (
	Working  When = "working"  // some time after its first answer
	Started  When = "started"  // just when it listens
	Starting When = "starting" // before it listens: in its recovery
)

// Kill is one kill: After since When's beginning (launch, listening, first
// answer).
type Kill struct {
	When  When
	After time.Duration
}

// Plan is the kills of a run, in order: the same for the same seed. longest is
// how long an instance works at most.
func Plan(seed uint64, kills int, longest time.Duration) []Kill {
	r := rand.New(rand.NewPCG(seed, 0x6b696c6c))
	below := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	plan := make([]Kill, kills)
	for i := range plan {
		switch n := r.IntN(10); {
		case n < 2 && i > 0:
			plan[i] = Kill{Starting, below(100 * time.Millisecond)}
		case n < 4:
			plan[i] = Kill{Started, below(50 * time.Millisecond)}
		default:
			plan[i] = Kill{Working, below(longest)}
		}
	}
	return plan
}
