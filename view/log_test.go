package view

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Random logs: whoever runs them, in whatever batches, with whatever cache,
// makes the same bytes at the same version, and the store ends the same
// (laws 2 and 3). See checkLog for who does.
func TestRandomLogs(t *testing.T) {
	deltas := 0
	for range 150 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 5))
			w := newWorld(Settings{VisitsWindow: r.Int64N(3) * hourMS, VisitsEntries: 1 + r.IntN(20)}, Limits{})
			pages, hours, persons, pause := 1+r.IntN(12), int64(1+r.IntN(30)), 6, int64(hourMS)
			if r.IntN(2) == 0 { // a busy hour
				hours, persons, pause = 1, 100, 1000
			}
			for range 20 + r.IntN(80) {
				if r.IntN(30) == 0 {
					w.marker(Settings{VisitsWindow: r.Int64N(3) * hourMS, VisitsEntries: 1 + r.IntN(20)})
					continue
				}
				w.logTime += r.Int64N(pause)
				if w.logTime < day {
					w.logTime = day
				}
				e := logged{offset: w.next, ts: w.logTime - r.Int64N(hours*hourMS), logTime: w.logTime,
					person: fmt.Sprint(r.IntN(persons)), url: fmt.Sprintf("http://d%d.com/%d", r.IntN(1+pages/4), r.IntN(pages))}
				w.next += 1 + r.Int64N(2) // records that are no events lie between
				if err := w.take(e); err != nil {
					t.Fatal(err)
				}
				w.log = append(w.log, e)
				w.flush(t, []int64{e.logTime})
			}
			w.checkLog(t)
			deltas += w.deltas
		})
	}
	if deltas == 0 {
		t.Error("no set was put as a delta")
	}
}

// A person who is there in one hour only, in a set that grew to a sketch, and
// an answer that does not depend on when the cell was written in between.
func TestSketchInBatches(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 6))
	w := newWorld(Settings{VisitsWindow: hourMS, VisitsEntries: 100}, Limits{})
	for i := range int64(3000) {
		e := logged{offset: i, ts: day + i, logTime: day + i, person: fmt.Sprint(r.IntN(4000)), url: "http://a.com/"}
		w.log = append(w.log, e)
	}
	w.run(t, r, w.log)
	w.next = 3000
	w.checkLog(t)
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}
