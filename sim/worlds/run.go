package worlds

import (
	"fmt"
	"strings"
)

// Failure is a world that went wrong.
type Failure struct {
	Seed    uint64   // of the world
	Err     error    // what went wrong in it
	Choices []uint16 // a short list that still goes wrong
	Trace   []string // what happens in that one, step by step
	Last    error    // and what goes wrong there
}

func (f *Failure) Error() string {
	return fmt.Sprintf("world of seed %d: %v\n\nmade smaller, %d choices %v:\n\n%s", f.Seed, f.Err,
		len(f.Choices), f.Choices, strings.Join(f.Trace, "\n"))
}

// Run lets the worlds of n seeds from first on happen, until one goes wrong.
// What they came into is added to cov.
func Run(first uint64, n int, cov *Coverage) *Failure {
	for seed := first; seed < first+uint64(n); seed++ {
		w := newWorld(randomChoices(seed), cov, false)
		w.run()
		if w.failure != nil {
			return explain(seed, w)
		}
	}
	return nil
}

func explain(seed uint64, w *world) *Failure {
	small := shrink(w.list, func(list []uint16) bool { return replay(list, false).failure != nil })
	last := replay(small, true)
	return &Failure{Seed: seed, Err: w.failure, Choices: small, Trace: last.lines, Last: last.failure}
}

func replay(list []uint16, tracing bool) *world {
	w := newWorld(&choices{list: list}, &Coverage{}, tracing)
	w.run()
	return w
}
