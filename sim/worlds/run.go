package worlds

import (
	"fmt"
	"strings"
)

// Failure is a world that went wrong.
type Failure struct {
	Seed   uint64   // of the world
	Err    error    // what went wrong in it
	Script script   // a short one that still goes wrong
	Trace  []string // what happens in that one, step by step
	Last   error    // and what goes wrong there
}

func (f *Failure) Error() string {
	if f.Trace == nil {
		return fmt.Sprintf("world of seed %d: %v", f.Seed, f.Err)
	}
	return fmt.Sprintf("world of seed %d: %v\n\nmade smaller, %d steps %v:\n\n%s", f.Seed, f.Err,
		len(f.Script)-groupSteps, f.Script, strings.Join(f.Trace, "\n"))
}

// Run lets the worlds of n seeds from first on happen, until one goes wrong.
// What they came into is added to cov. With smaller, a shorter world that goes
// wrong as well is looked for.
func Run(first uint64, n int, cov *Coverage, smaller bool) *Failure {
	for seed := first; seed < first+uint64(n); seed++ {
		w := newWorld(randomChoices(seed), cov, false)
		w.run()
		if w.failure != nil {
			return explain(seed, w, smaller)
		}
	}
	return nil
}

// explain makes a failing world smaller, if it may, and tells it.
func explain(seed uint64, w *world, smaller bool) *Failure {
	if !smaller {
		return &Failure{Seed: seed, Err: w.failure, Script: w.script, Last: w.failure}
	}
	small := shrink(w.script, func(s script) bool { return replay(s, false).failure != nil })
	last := replay(small, true)
	return &Failure{Seed: seed, Err: w.failure, Script: small, Trace: last.lines, Last: last.failure}
}

func replay(s script, tracing bool) *world {
	w := newWorld(&choices{script: s}, &Coverage{}, tracing)
	w.run()
	return w
}
