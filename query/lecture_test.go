package query_test

import (
	"testing"
	"time"

	"speedlayer/query"
)

// TestLecture is the lecture's example: an address views foo.com/about at 1:30
// pm, sally at 1:40 pm, and at 2:00 pm an edge tells that both are one person.
func TestLecture(t *testing.T) {
	w := newWorld(t, 4, nil)
	at := func(hour, minute int) { w.now = time.Date(2026, 3, 1, hour, minute, 0, 0, time.UTC) }
	visitors := func(want uint64) {
		t.Helper()
		for _, url := range []string{"foo.com/about", "https://www.foo.com/about/?utm=1", "foo.com"} {
			a, err := w.engine.Uniques(t.Context(), query.URLQuery{URL: url, From: "2026-03-01T13:00Z", To: "2026-03-01T14:00:00Z"})
			if err != nil {
				t.Fatal(err)
			}
			if a.Visitors != want || !a.Exact || a.RelativeError != 0 || len(a.Hours) != 1 || a.Hours[0].Visitors != want {
				t.Fatalf("uniques of %s: %+v, want %d, exactly", url, a, want)
			}
		}
	}
	at(13, 30)
	w.visit("11.11.11.111", "http://foo.com/about")
	at(13, 40)
	w.visit("sally", "http://foo.com/about")
	w.commit()
	visitors(2)
	at(14, 0)
	if _, err := w.engine.AddEquiv(t.Context(), "sally", "11.11.11.111"); err != nil {
		t.Fatal(err)
	}
	visitors(1)
	// Added again in the other order, it is still one edge, so taking it back once is
	// enough.
	if a, err := w.engine.AddEquiv(t.Context(), "11.11.11.111", "sally"); err != nil || a.Edges != 1 {
		t.Fatal(a, err)
	}
	visitors(1)
	if _, err := w.engine.RemoveEquiv(t.Context(), "11.11.11.111", "sally"); err != nil {
		t.Fatal(err)
	}
	visitors(2)
	p, err := w.engine.Pageviews(t.Context(), query.URLQuery{URL: "foo.com/about", From: "now-1h", To: "now"})
	if err != nil || p.Pageviews != 2 || *p.Covered.Lag != 0 || !p.Covered.Settled || p.Covered.Events != 2 {
		t.Fatalf("pageviews %+v %v", p, err)
	}
}
