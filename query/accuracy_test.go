package query_test

import (
	"fmt"
	"testing"
	"time"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/store"
)

// compareRun does a batch run and returns what it found out about the speed layer.
func (w *world) compareRun() *query.Accuracy {
	w.t.Helper()
	before, err := w.store.Pointer(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.run()
	w.commit()
	after, err := w.store.Pointer(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := w.engine.Compare(w.t.Context(), before, after)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) nonced(nonce, person string, ago time.Duration) {
	w.json(person, fmt.Appendf(nil, `{"nonce":%q,"person":%q,"url":"https://foo.com/a","ts":%d}`, nonce, person, w.now.Add(-ago).UnixMilli()))
}

func accuracyText(a *query.Accuracy) string {
	text := ""
	for _, v := range a.Views {
		text += fmt.Sprintf("%s %d of %d", v.View, v.Exact, v.Cells)
		for _, c := range v.Causes {
			text += fmt.Sprintf(", %s: %d off by %d", c.Cause, c.Cells, c.Off)
		}
		text += "\n"
	}
	return text
}

// TestAccuracy: what the speed layer cannot know is found, with its cause; all
// else is exact.
func TestAccuracy(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		want string
	}{
		{"exact", func(w *world) {
			w.nonced("1", "p", 0)
			w.now = w.now.Add(10 * time.Minute)
			w.nonced("1", "p", 0) // a duplicate that is remembered
			w.nonced("2", "p", 20*time.Minute)
		}, "pageviews 2 of 2\nuniques 2 of 2\nbounces 1 of 1\n"},
		{"dedupe", func(w *world) {
			w.nonced("1", "p", 0)
			w.now = w.now.Add(2 * time.Hour)
			w.nonced("2", "q", 0)
			w.now = w.now.Add(time.Minute)
			w.nonced("1", "p", 2*time.Hour)
		}, "pageviews 2 of 4, dedupe window: 2 off by 2\nuniques 4 of 4\nbounces 1 of 2, dedupe window: 1 off by 1\n"},
		{"late", func(w *world) {
			w.nonced("1", "p", 0)
			w.now = w.now.Add(5 * time.Hour)
			w.nonced("2", "p", 0)
			w.nonced("3", "p", 5*time.Hour-time.Minute)
		}, "pageviews 4 of 4\nuniques 4 of 4\nbounces 1 of 2, late visit: 1 off by 3\n"},
		{"edge", func(w *world) {
			w.nonced("1", "p", 0)
			w.nonced("2", "q", 0)
			w.edge(event.Edge{ID1: "p", ID2: "q", TS: 1})
		}, "pageviews 2 of 2\nuniques 2 of 2\nbounces 0 of 1, late edge: 1 off by 3\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 2, nil)
			w.now = w.now.Truncate(time.Hour).Add(10 * time.Minute)
			c.do(w)
			w.commit()
			a := w.compareRun()
			if got := accuracyText(a); got != c.want {
				t.Errorf("found\n%swant\n%s", got, c.want)
			}
			if a.Run != 1 || a.Before != nil || a.Domains != 1 || a.Pages != 1 {
				t.Errorf("%+v", a)
			}
			// Everything is absorbed: another run finds nothing to compare, and then
			// one hour that both added to.
			w.nonced("9", "r", 0)
			w.commit()
			a = w.compareRun()
			if a.Before == nil || *a.Before != 1 || a.Views[0].Cells != 2 || a.Views[0].Exact != 2 {
				t.Errorf("the next run: %s", accuracyText(a))
			}
		})
	}
}

// TestAccuracyWaits: below the vector everything must be committed.
func TestAccuracyWaits(t *testing.T) {
	w := newWorld(t, 1, nil)
	run := &store.Run{Number: 1, Vector: []store.VectorEntry{{Offset: 5}}}
	if a, err := w.engine.Compare(t.Context(), store.Pointer{Generations: []uint32{0, 1}}, store.Pointer{Current: run}); err == nil {
		t.Errorf("compared %+v", a)
	}
}
