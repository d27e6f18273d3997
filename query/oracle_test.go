package query_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/query/api"
	"speedlayer/sim/generate"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// generated is a world with a generated log, two generations, and equiv edges;
// its answers are the oracle's for the same log and edges.
func generated(t testing.TB, c generate.Config, generations bool) (*world, *oracle.Answers) {
	t.Helper()
	return generatedWith(t, c, func(w *world, n int64) {
		if generations && n == c.Events/2 {
			w.generation(func(s *view.Settings) { s.VisitsEntries = 1000 })
		}
	})
}

// generatedWith calls each after every pageview, with its number.
func generatedWith(t testing.TB, c generate.Config, each func(w *world, n int64)) (*world, *oracle.Answers) {
	t.Helper()
	w := newWorld(t, 4, nil)
	g, err := generate.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var e generate.Event
	for n := int64(0); g.Next(&e); n++ {
		w.now = time.UnixMilli(e.Arrival).UTC()
		if e.Kind == generate.Edge {
			w.edge(event.Edge{ID1: string(e.Person), ID2: string(e.Other), TS: e.Arrival, Retract: e.Retract})
			continue
		}
		w.json(string(e.Person), e.AppendJSON(nil))
		if n%997 == 0 {
			w.commit()
		}
		each(w, n)
	}
	w.commit()
	w.now = w.now.Add(time.Minute)
	return w, w.answers()
}

// TestOracle compares every answer with the oracle's, in this process and over
// HTTP.
func TestOracle(t *testing.T) {
	for seed := range uint64(2) {
		for _, two := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed=%d,two generations=%v", seed, two), func(t *testing.T) {
				w, want := generated(t, generate.Config{Events: 6_000, Seed: seed, URLs: 100, Persons: 500, Domains: 12, Span: 30 * time.Hour, Edges: 0.02}, two)
				server := httptest.NewServer(serve(w))
				defer server.Close()
				client, err := api.NewClient(server.URL, server.Client())
				if err != nil {
					t.Fatal(err)
				}
				compare(t, w, w.engine, want)
				if seed == 0 {
					compare(t, w, client, want)
				}
			})
		}
	}
}

// TestOracleSketch has more visitors than a cell holds exactly, and edges.
func TestOracleSketch(t *testing.T) {
	w, want := generated(t, generate.Config{Events: 40_000, Seed: 7, URLs: 10, Persons: 100_000, Domains: 1, Span: 70 * time.Minute, Edges: 0.02}, false)
	compare(t, w, w.engine, want)
	a, err := w.engine.Uniques(t.Context(), query.URLQuery{URL: domains(want)[0], From: "2026-01-05", To: "2026-01-06"})
	if err != nil || a.Exact || a.RelativeError == 0 || len(a.Notes) == 0 {
		t.Fatalf("no sketch: %+v %v", a, err)
	}
}

func domains(want *oracle.Answers) (all []string) {
	for _, l := range want.Export(0, 1<<30) {
		if l.View == oracle.Bounces && !slices.Contains(all, l.URL) {
			all = append(all, l.URL)
		}
	}
	return all
}

func compare(t *testing.T, w *world, got query.Answers, want *oracle.Answers) {
	t.Helper()
	lines := want.Export(0, 1<<30)
	if len(lines) < 100 {
		t.Fatal("the log is too small")
	}
	lo, hi := lines[0].Hour, lines[0].Hour
	urls := map[string]bool{}
	for _, l := range lines {
		lo, hi = min(lo, l.Hour), max(hi, l.Hour)
		urls[l.URL] = true
	}
	ranges := [][2]int32{{lo, hi + 1}, {lo + 1, hi}, {lo, lo + 1}, {lo - 24*365, hi + 24*365}, {lo, lo}}
	ctx := t.Context()
	text := func(h int32) string { return event.FormatTime(int64(h) * 3600_000) }
	n := 0
	for url := range urls {
		if n++; n > 15 && strings.Contains(url, "/") {
			continue
		}
		for _, r := range ranges {
			q := query.URLQuery{URL: url, From: text(r[0]), To: text(r[1])}
			if n%2 == 0 {
				q.By = "hour"
			}
			p, err := got.Pageviews(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			u, err := got.Uniques(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if v := want.Uniques(url, r[0], r[1]); p.Pageviews != want.Pageviews(url, r[0], r[1]) || u.Visitors != v.Count || u.Exact != v.Exact {
				t.Fatalf("%s %v: %d pageviews, %d visitors (%v), want %d, %v", url, r, p.Pageviews, u.Visitors, u.Exact, want.Pageviews(url, r[0], r[1]), v)
			}
			compareHours(t, url, r, p, u, want)
		}
	}
	for _, d := range domains(want) {
		for _, r := range ranges {
			compareDomain(t, got, want, d, r, text(r[0]), text(r[1]))
		}
	}
	compareDomains(t, got, want, lo, hi+1, text(lo), text(hi+1))
	compareExport(t, got, lines)
	if s, err := got.Status(ctx); err != nil || *s.Covered.Lag != 0 || s.Counts.Events == 0 || s.Counts.Duplicates == 0 || len(s.Partitions) != 4 {
		t.Fatalf("status %+v %v", s, err)
	}
}

func compareHours(t *testing.T, url string, r [2]int32, p *query.PageviewsAnswer, u *query.UniquesAnswer, want *oracle.Answers) {
	t.Helper()
	hours := 0
	for h := r[0]; h < r[1]; h++ {
		views := want.Pageviews(url, h, h+1)
		if views == 0 {
			continue
		}
		if hours < len(p.Hours) {
			at, v := event.FormatTime(int64(h)*3600_000), want.Uniques(url, h, h+1)
			if p.Hours[hours] != (query.PageviewsPart{Hour: at, Pageviews: views, Source: p.Hours[hours].Source}) ||
				u.Hours[hours] != (query.UniquesPart{Hour: at, Visitors: v.Count, Exact: v.Exact, Source: p.Hours[hours].Source}) {
				t.Fatalf("%s at %s: %+v %+v, want %d %v", url, at, p.Hours[hours], u.Hours[hours], views, v)
			}
		}
		hours++
	}
	if p.Hours != nil && (len(p.Hours) != hours || len(u.Hours) != hours) {
		t.Fatalf("%s %v: %d and %d hours, want %d", url, r, len(p.Hours), len(u.Hours), hours)
	}
	if p.Sources.BatchRun == nil && (p.Sources.SpeedHours != hours || u.Sources.SpeedHours != hours) {
		t.Fatalf("%s %v: %d and %d hours, said to be %d, want %d", url, r, len(p.Hours), len(u.Hours), p.Sources.SpeedHours, hours)
	}
}

func compareDomain(t *testing.T, got query.Answers, want *oracle.Answers, d string, r [2]int32, from, to string) {
	t.Helper()
	b, err := got.BounceRate(t.Context(), query.DomainQuery{Domain: d, From: from, To: to, By: "day"})
	if err != nil {
		t.Fatal(err)
	}
	visits, bounces := want.Bounces(d, r[0], r[1])
	exact := visits >= 0 && bounces >= 0 && bounces <= visits
	visits = max(0, visits)
	bounces = min(max(0, bounces), visits)
	if b.Visits != visits || b.Bounces != bounces || (b.Rate == nil) != (visits == 0) || exact && !b.Exact && b.Days == nil {
		t.Fatalf("%s %v: %+v, want %d visits, %d bounces", d, r, b, visits, bounces)
	}
	var sum int64
	for _, day := range b.Days {
		sum += day.Visits
	}
	if b.Exact && sum != visits {
		t.Fatalf("%s %v: days sum up to %d visits of %d", d, r, sum, visits)
	}
	top, err := got.Top(t.Context(), query.TopQuery{Domain: d, From: from, To: to, Limit: 7})
	if err != nil {
		t.Fatal(err)
	}
	pages := want.Top(d, r[0], r[1])
	if top.TotalPages != len(pages) || len(top.Pages) != min(7, len(pages)) {
		t.Fatalf("%s %v: %d of %d pages, want %d", d, r, len(top.Pages), top.TotalPages, len(pages))
	}
	for i, p := range top.Pages {
		w := pages[i]
		if p.URL != w.Page || p.Pageviews != w.Pageviews || p.Visitors != w.Visitors.Count || p.Exact != w.Visitors.Exact {
			t.Fatalf("%s %v: page %d is %+v, want %+v", d, r, i, p, w)
		}
	}
}

func compareDomains(t *testing.T, got query.Answers, want *oracle.Answers, lo, hi int32, from, to string) {
	t.Helper()
	a, err := got.Domains(t.Context(), query.DomainsQuery{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	all := domains(want)
	if a.Total != len(all) || len(a.Domains) != len(all) {
		t.Fatalf("%d domains, want %d", a.Total, len(all))
	}
	for i, d := range a.Domains {
		if d.Pageviews != want.Pageviews(d.Domain, lo, hi) || i > 0 && d.Pageviews > a.Domains[i-1].Pageviews {
			t.Fatalf("domain %d: %+v", i, d)
		}
	}
}

func compareExport(t *testing.T, got query.Answers, lines []oracle.Line) {
	t.Helper()
	i := 0
	err := got.Export(t.Context(), query.ExportQuery{}, func(c query.Cell) error {
		if i < len(lines) {
			if have, should := cellText(t, c), lineText(lines[i]); have != should {
				return fmt.Errorf("line %d: %s, want %s", i, have, should)
			}
		}
		i++
		return nil
	})
	if err != nil || i != len(lines) {
		t.Fatalf("export of %d lines, want %d: %v", i, len(lines), err)
	}
}

func cellText(t *testing.T, c query.Cell) string {
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func lineText(l oracle.Line) string {
	url, _ := json.Marshal(l.URL)
	at := event.FormatTime(int64(l.Hour) * 3600_000)
	switch l.View {
	case oracle.Pageviews:
		return fmt.Sprintf(`{"view":"pageviews","url":%s,"hour":"%s","pageviews":%d}`, url, at, l.Pageviews)
	case oracle.Uniques:
		return fmt.Sprintf(`{"view":"uniques","url":%s,"hour":"%s","visitors":%d,"exact":%v}`, url, at, l.Visitors.Count, l.Visitors.Exact)
	}
	visits := max(0, l.Visits)
	return fmt.Sprintf(`{"view":"bounces","url":%s,"hour":"%s","visits":%d,"bounces":%d}`, url, at, visits, min(max(0, l.Bounces), visits))
}
