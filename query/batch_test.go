package query_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/sim/generate"
	"speedlayer/store"
)

// TestOracleBatch expects the same answers with batch runs in between, each of which
// has absorbed what was there, and with a rollback after the last.
func TestOracleBatch(t *testing.T) {
	c := generate.Config{Events: 3_000, URLs: 60, Persons: 300, Domains: 12, Span: 30 * time.Hour, Edges: 0.02}
	for i, v := range []struct {
		runs int64
		back bool
	}{{1, false}, {3, false}, {3, true}} {
		t.Run(fmt.Sprintf("runs=%d,rollback=%v", v.runs, v.back), func(t *testing.T) {
			c.Seed = uint64(i)
			w, want := generatedWith(t, c, func(w *world, n int64) {
				if n > 0 && n%(c.Events/(v.runs+1)) == 0 && n < c.Events-100 {
					w.run()
				}
			})
			if v.back {
				if _, err := catalog.Rollback(t.Context(), w.store); err != nil {
					t.Fatal(err)
				}
				want = w.answers()
			}
			compare(t, w, w.engine, want)
		})
	}
}

// TestOracleBatchSketch has sketches in the batch views and in the generations,
// and edges that came before and after the run.
func TestOracleBatchSketch(t *testing.T) {
	c := generate.Config{Events: 40_000, Seed: 7, URLs: 10, Persons: 100_000, Domains: 1, Span: 70 * time.Minute, Edges: 0.02}
	w, want := generatedWith(t, c, func(w *world, n int64) {
		if n == c.Events/2 {
			w.run()
		}
	})
	compare(t, w, w.engine, want)
	a, err := w.engine.Uniques(t.Context(), query.URLQuery{URL: domains(want)[0], From: "2026-01-05", To: "2026-01-06"})
	if err != nil || a.Exact || len(a.Notes) == 0 || a.Sources.BatchHours == 0 || a.Sources.SpeedHours == 0 {
		t.Fatalf("no sketch of both: %+v %v", a, err)
	}
}

// TestSources checks which hours came from where, and where the cut is.
func TestSources(t *testing.T) {
	w := newWorld(t, 2, nil)
	hour := w.now.Truncate(time.Hour)
	w.visit("p", "https://foo.com/a")
	w.now = w.now.Add(time.Hour)
	w.visit("p", "https://foo.com/a")
	w.commit()
	cut := w.now
	w.run()
	w.visit("p", "https://foo.com/a")
	w.now = w.now.Add(time.Hour)
	w.visit("p", "https://foo.com/a")
	w.commit()
	q := query.URLQuery{URL: "foo.com/a", From: event.FormatTime(hour.UnixMilli()), To: event.FormatTime(hour.Add(3 * time.Hour).UnixMilli())}
	a, err := w.engine.Pageviews(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, h := range a.Hours {
		got += fmt.Sprintf("%d %s, ", h.Pageviews, h.Source)
	}
	if want := "1 batch, 2 both, 1 speed, "; got != want {
		t.Errorf("hours are %s want %s", got, want)
	}
	s := a.Sources
	if s.BatchHours != 2 || s.SpeedHours != 2 || s.BatchRun == nil || *s.BatchRun != 1 || s.BatchUntil != event.FormatTime(cut.UnixMilli()) {
		t.Errorf("sources are %+v", s)
	}
}

// TestLaterEdge: an edge that comes after the run joins visitors of the batch
// views with those of the generations at once; visits are joined by the next run,
// in hours that no generation adds to.
func TestLaterEdge(t *testing.T) {
	w := newWorld(t, 2, nil)
	day := w.now.Truncate(24 * time.Hour)
	from, to := event.FormatTime(day.UnixMilli()), event.FormatTime(day.Add(24*time.Hour).UnixMilli())
	w.visit("11.11.11.111", "https://foo.com/about")
	w.commit()
	w.run()
	w.now = w.now.Add(10 * time.Minute)
	w.visit("sally", "https://foo.com/about")
	w.commit()
	ask := func() (uint64, int64, int64) {
		u, err := w.engine.Uniques(t.Context(), query.URLQuery{URL: "foo.com/about", From: from, To: to})
		if err != nil {
			t.Fatal(err)
		}
		b, err := w.engine.BounceRate(t.Context(), query.DomainQuery{Domain: "foo.com", From: from, To: to})
		if err != nil {
			t.Fatal(err)
		}
		return u.Visitors, b.Visits, b.Bounces
	}
	check := func(when string, visitors uint64, visits, bounces int64) {
		t.Helper()
		if u, v, b := ask(); u != visitors || v != visits || b != bounces {
			t.Errorf("%s: %d visitors, %d visits, %d bounces, want %d, %d, %d", when, u, v, b, visitors, visits, bounces)
		}
	}
	check("before the edge", 2, 2, 2)
	w.edge(event.Edge{ID1: "sally", ID2: "11.11.11.111", TS: 1})
	check("after the edge", 1, 2, 2)
	w.run()
	w.commit()
	check("after the next run", 1, 1, 0)
	w.visit("bob", "https://foo.com/about")
	w.commit()
	check("with an open generation in the hour", 2, 3, 3)
	w.edge(event.Edge{ID1: "sally", ID2: "11.11.11.111", TS: 2, Retract: true})
	check("the edge is taken back", 3, 3, 3)
}

// TestViewsAreNeverEmpty: views that cannot be opened or read are an error, unless
// the pointer has moved on.
func TestViewsAreNeverEmpty(t *testing.T) {
	s := newTorn()
	s.move(1)
	s.pointer.Current = &store.Run{Number: 1}
	s.fail = "views"
	if a, err := s.ask(t); !errors.Is(err, errTorn) {
		t.Errorf("%+v, %v", a, err)
	}
	s.fail, s.steps = "views", nil
	changed := false
	s.hook = func(step string) {
		if step == "views" && !changed {
			changed = true
			s.move(1, 2)
		}
	}
	if a, err := s.ask(t); err != nil {
		t.Errorf("the pointer changed: %+v, %v", a, err)
	}
	none := query.New(query.Config{Store: s, Edges: query.NewEdges(), Now: time.Now})
	if a, err := none.Pageviews(context.Background(), query.URLQuery{URL: "foo.com", From: "1970-01-01", To: "1970-01-02"}); err == nil {
		t.Errorf("without batch views: %+v", a)
	}
}
