package worlds

import (
	"fmt"
	"testing"
)

// TestCrowds runs worlds in which more persons than a cell holds exactly view
// one page: some cells are sketches from some offset on, in every processor at
// the same one, with the same bytes.
func TestCrowds(t *testing.T) {
	var cov Coverage
	sketches := 0
	for seed := uint64(1); seed <= 4; seed++ {
		w := newWorld(randomChoices(seed), &cov, false)
		w.crowd(2060)
		w.run()
		if w.failure != nil {
			t.Fatalf("world of seed %d: %v", seed, w.failure)
		}
		sketches += w.sketches
	}
	if sketches == 0 { // in some worlds the generation is dropped before
		t.Error("no cell became a sketch")
	}
}

// crowd fills the logs with views of one page in one hour, and makes batches
// large and the cache small enough that sketches leave it.
func (w *world) crowd(persons int) {
	w.batch, w.slots, w.bytes = 300, 6, 20<<10
	w.now += hourMS
	ts := w.now
	for n := 0; persons > 0; n++ {
		name := fmt.Sprintf("crowd%d", n)
		if p := w.partitionOf(name); p == w.parts[0] {
			w.append(p, nil, fmt.Appendf(nil, `{"person":%q,"url":"https://a.com/","ts":%d}`, name, ts))
			w.now = ts
			persons--
		}
	}
}
