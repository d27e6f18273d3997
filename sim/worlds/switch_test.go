package worlds

import (
	"testing"

	"speedlayer/verify/oracle"
)

// TestQueriesAcrossSwitch tries one small case in full: two batch runs, the second
// of which makes the first generation go, and one query, which is stopped at each
// of its reads while the runs do any number of their steps.
func TestQueriesAcrossSwitch(t *testing.T) {
	var cov Coverage
	ran := 0
	for v := oracle.Pageviews; v <= oracle.Bounces; v++ {
		for before := 0; ; before++ {
			w := switchWorld(t, &cov)
			for range before {
				w.runStep(t)
			}
			over := w.twoRuns()
			w.killAll()
			if over {
				break
			}
			for pauses := 1; ; pauses++ {
				last := false
				for during := 1; ; during++ {
					ended, done := crossSwitch(t, &cov, v, before, pauses, during)
					ran++
					if last = ended; ended || done {
						break
					}
				}
				if last {
					break
				}
			}
		}
	}
	t.Logf("%d interleavings", ran)
	if ran < 1000 || cov.seen[GenerationDropped] == 0 {
		t.Errorf("%d interleavings, there must be more", ran)
	}
}

// crossSwitch runs one interleaving. ended reports that the query ended before it was
// stopped as often as asked for, done that both runs were complete.
func crossSwitch(t *testing.T, cov *Coverage, v oracle.View, before, pauses, during int) (ended, done bool) {
	w := switchWorld(t, cov)
	defer w.killAll()
	for range before {
		w.runStep(t)
	}
	hour := int32(w.now / hourMS)
	query := w.startQuestion(question{v, "a.com", hour, hour + 1})
	for range pauses {
		if !query.over {
			w.resume(query)
		}
	}
	ended = query.over
	for range during {
		w.runStep(t)
	}
	done = w.twoRuns()
	for !query.over {
		w.resume(query)
	}
	if w.failure != nil {
		t.Fatalf("view %d, the query stopped at its read %d, after %d steps of the runs, for %d steps: %v",
			v, pauses, before, during, w.failure)
	}
	cov.add(&w.seen)
	return ended, done
}

// switchWorld has two views of one visit committed, and nobody at work.
func switchWorld(t *testing.T, cov *Coverage) *world {
	t.Helper()
	w := newWorld(&choices{}, cov, false)
	w.calm = true
	now := w.now
	for range 2 {
		w.append(w.parts[0], nil, w.pageview(w.persons[0][0]))
	}
	w.now = now
	w.readToEnd()
	if w.failure != nil {
		t.Fatal(w.failure)
	}
	return w
}

func (w *world) twoRuns() bool {
	return w.store.pointer.Previous != nil && w.runsUnderWay() == 0
}

// runStep lets the run under way go on, or the next begin.
func (w *world) runStep(t *testing.T) {
	if w.twoRuns() {
		return
	}
	if w.runsUnderWay() == 0 {
		w.startRun()
	}
	for _, task := range w.tasks {
		if task.run {
			w.resume(task)
			break
		}
	}
	if w.failure != nil {
		t.Fatal(w.failure)
	}
}
