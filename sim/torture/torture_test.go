package torture

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func quick(f *fake) Config {
	return Config{System: f, Kills: 8, Seed: 5, Rate: 20_000, Clients: 4, Longest: 60 * time.Millisecond}
}

// A system that counts right passes; each fault is noticed. What passes and
// what not does not depend on time: faults strike at kills, or at every so
// manyth pageview.
func TestFaultsAreNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		f     *fake
		check func(r *Report) bool
	}{
		"right":   {&fake{}, (*Report).OK},
		"forgets": {&fake{forgets: true}, func(r *Report) bool { return !r.OK() && r.Comparison.Lost > 0 && r.Comparison.Doubled == 0 }},
		"doubles": {&fake{doubles: true}, func(r *Report) bool { return !r.OK() && r.Comparison.Doubled > 0 && r.Comparison.Lost == 0 }},
		"renames": {&fake{renames: true}, func(r *Report) bool { return !r.OK() && r.Comparison.Lost > 0 && r.Comparison.Doubled > 0 }},
		"slips":   {&fake{slips: true}, func(r *Report) bool { return !r.OK() && r.Comparison.Differ > 0 && r.Comparison.Lost == 0 }},
		"differs": {&fake{differs: 2}, func(r *Report) bool { return !r.OK() && strings.Contains(r.String(), "said so") }},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Run(t.Context(), quick(c.f))
			if err != nil {
				t.Fatal(err)
			}
			if r.Kills != 8 || r.Posted != r.Acknowledged || r.Posted == 0 || r.SentTwice == 0 || r.Retried == 0 {
				t.Errorf("the run did not do what it should:\n%s", r)
			}
			if !c.check(r) {
				t.Errorf("wrong verdict:\n%s", r)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	for _, c := range []struct {
		f    *fake
		want string
	}{{&fake{rejects: true}, "rejected"}, {&fake{crashes: true}, "it crashed"}} {
		cfg := quick(c.f)
		ctx := t.Context()
		done := make(chan error, 1)
		go func() { _, err := Run(ctx, cfg); done <- err }()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: error %v, want %q", c.f, err, c.want)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("it goes on for ever")
		}
	}
}

func someViews() []View {
	var views []View
	for i := range 30 {
		views = append(views, View{Nonce: fmt.Sprint(i), Person: fmt.Sprint("p", i%4), Domain: "a.example",
			Path: fmt.Sprintf("/%d", i%5), TS: noon + int64(i)*600_000})
	}
	return views
}

// An export that is off by one, in either direction, is said to be.
func TestCompare(t *testing.T) {
	l := NewLedger()
	l.Acknowledged(someViews())
	right := linesOf(l)
	if c := l.Compare(right); c.Differ != 0 || c.Lost != 0 || c.Doubled != 0 || c.Cells == 0 || l.Views() != 30 {
		t.Fatalf("%+v", c)
	}
	find := func(view string, page bool) int {
		for i, line := range right {
			if line.View == view && isPage(line.URL) == page {
				return i
			}
		}
		t.Fatal("no such line")
		return 0
	}
	for _, c := range []struct {
		name                  string
		spoil                 func(lines []Line) []Line
		lost, doubled, differ int64
	}{
		{"one lost", func(l []Line) []Line { l[find("pageviews", true)].Pageviews--; return l }, 1, 0, 1},
		{"one doubled", func(l []Line) []Line { l[find("pageviews", true)].Pageviews++; return l }, 0, 1, 1},
		{"a domain off", func(l []Line) []Line { l[find("pageviews", false)].Pageviews++; return l }, 0, 0, 1},
		{"a person lost", func(l []Line) []Line { l[find("uniques", true)].Visitors--; return l }, 0, 0, 1},
		{"an estimate", func(l []Line) []Line { l[find("uniques", true)].Exact = false; return l }, 0, 0, 1},
		{"a cell too many", func(l []Line) []Line {
			return append(l, Line{View: "pageviews", URL: "b.example/", Hour: "2026-01-05T12:00:00Z", Pageviews: 3})
		}, 0, 3, 1},
		{"a cell missing", func(l []Line) []Line {
			i := find("uniques", true)
			return append(l[:i], l[i+1:]...)
		}, 0, 0, 1},
		{"nothing", func([]Line) []Line { return nil }, 30, 0, 2 * int64(len(right)) / 3},
	} {
		got := l.Compare(c.spoil(append([]Line(nil), right...)))
		if got.Lost != c.lost || got.Doubled != c.doubled || got.Differ != c.differ {
			t.Errorf("%s: %+v", c.name, got)
		}
		if len(got.Wrong) == 0 || len(got.Wrong) > maxWrong {
			t.Errorf("%s: %d cells described", c.name, len(got.Wrong))
		}
	}
	// A client that forgets one that was acknowledged.
	forgetful := NewLedger()
	forgetful.Acknowledged(someViews()[1:])
	if c := forgetful.Compare(right); c.Doubled != 1 {
		t.Errorf("forgotten by a client: %+v", c)
	}
}

func TestPlan(t *testing.T) {
	a, b := Plan(9, 300, time.Second), Plan(9, 300, time.Second)
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, Plan(10, 300, time.Second)) {
		t.Error("a plan is a function of its seed")
	}
	n := map[When]int{}
	for _, k := range a {
		n[k.When]++
	}
	if n[Working] < 100 || n[Started] < 30 || n[Starting] < 30 || a[0].When == Starting {
		t.Errorf("%v", n)
	}
}

func TestSpread(t *testing.T) {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i)*time.Second)
	}
	if s := spread(all); s != (Spread{100, 50, 99, 100}) {
		t.Errorf("%+v", s)
	}
	if s := spread(all[:1]); s != (Spread{1, 100, 100, 100}) || spread(nil) != (Spread{}) {
		t.Errorf("%+v", s)
	}
}
