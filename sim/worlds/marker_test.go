package worlds

import (
	"context"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
	"speedlayer/verify/oracle"
)

// TestQueriesAcrossMarker tries one small case in full: views of one page before
// and after a marker, one processor, and one query, which is stopped at each of
// its reads while the processor does any number of its steps. Random worlds come
// too seldom to a query that reads two generations just while both change.
func TestQueriesAcrossMarker(t *testing.T) {
	var cov Coverage
	ran := 0
	for v := oracle.Pageviews; v <= oracle.Bounces; v++ {
		for before := 0; ; before++ {
			w := markerWorld(t, &cov)
			for range before {
				w.writeStep()
			}
			if w.settled() {
				break
			}
			for pauses := 1; ; pauses++ {
				last := false
				for during := 1; ; during++ {
					over, settled := crossMarker(t, &cov, v, before, pauses, during)
					ran++
					if last = over; over || settled {
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
	if ran < 1000 {
		t.Errorf("%d interleavings, there must be more", ran)
	}
}

// crossMarker runs one interleaving. over reports that the query ended before it
// was stopped as often as asked for, settled that the processor was done.
func crossMarker(t *testing.T, cov *Coverage, v oracle.View, before, pauses, during int) (over, settled bool) {
	w := markerWorld(t, cov)
	defer w.killAll()
	for range before {
		w.writeStep()
	}
	hour := int32(w.now / hourMS)
	query := w.startQuestion(question{v, "a.com", hour, hour + 1})
	for range pauses {
		if !query.over {
			w.resume(query)
		}
	}
	over = query.over
	for range during {
		w.writeStep()
	}
	settled = w.settled()
	for !query.over {
		w.resume(query)
	}
	if w.failure != nil {
		t.Fatalf("view %d, the query stopped at its read %d, after %d steps of the processor, for %d steps: %v",
			v, pauses, before, during, w.failure)
	}
	return over, settled
}

// markerWorld has a view before the marker of generation 1 and two after, the
// last of which takes the first one's bounce back: (1 visit, 0 bounces) of
// generation 1 alone is what no prefix of the log says.
func markerWorld(t *testing.T, cov *Coverage) *world {
	t.Helper()
	w := newWorld(&choices{}, cov, false)
	w.calm = true
	ctx := context.Background()
	if err := w.store.CreateGeneration(ctx, 1); err != nil {
		t.Fatal(err)
	}
	p := w.store.pointer
	p.Counter++
	p.Next, p.Generations = 2, []uint32{0, 1}
	if err := w.store.SwapPointer(ctx, p.Counter-1, p); err != nil {
		t.Fatal(err)
	}
	view := func(person, ts int64) {
		w.append(w.parts[0], nil, []byte(`{"person":"`+w.persons[0][person]+`","url":"https://a.com/","ts":`+strconv.FormatInt(ts, 10)+`}`))
	}
	now := w.now
	view(0, now)
	w.append(w.parts[0], nil, record.Marker{Generation: 1}.Append(nil), kgo.RecordHeader{Key: record.MarkerHeader, Value: []byte("1")})
	view(1, now)
	view(0, now+minute)
	w.now = now
	w.startProcessor(w.parts[0])
	return w
}

// writeStep lets one put arrive, or else the processor go on.
func (w *world) writeStep() {
	if len(w.store.inFlight) > 0 {
		w.store.deliver(0)
	} else if !w.settled() {
		w.resume(w.tasks[0])
	}
}
