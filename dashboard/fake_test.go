package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/internal/problem"
)

// pageview is one event of the fake: which person saw which page when.
type pageview struct {
	person, domain, path string
	at                   time.Time
}

// fake answers as the API does, by counting in a plain list of pageviews.
// Its fields are guarded by mu; changes wake the streams.
type fake struct {
	mu       sync.Mutex
	views    []pageview
	current  *int      // current visitors; nil: not known
	estimate float64   // relative error stated by uniques; 0: exact
	cut      time.Time // of a batch run; zero: none
	down     bool      // every call of the API is answered with 503, and streams are cut
	hold     chan struct{}
	changed  chan struct{} // closed and replaced at each change
}

// serve starts the dashboard in front of f.
func serve(t *testing.T, f *fake) *httptest.Server {
	t.Helper()
	f.changed = make(chan struct{})
	handlers, err := Handlers()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, h := range handlers {
		mux.Handle(pattern, h)
	}
	mux.HandleFunc("/", problem.NotFound)
	for path, answer := range map[string]func(r *http.Request) map[string]any{
		"domains": f.domains, "pageviews": f.pageviews, "uniques": f.uniques, "bounce-rate": f.bounces, "top": f.top, "accuracy": f.accuracy,
	} {
		mux.HandleFunc("GET /api/v1/"+path, f.api(answer))
	}
	mux.HandleFunc("GET /api/v1/live", f.live)
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections() // the streams end with their clients
		s.Close()
	})
	return s
}

// change applies a change to the fake and wakes the streams.
func (f *fake) change(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) add(v ...pageview) { f.change(func() { f.views = append(f.views, v...) }) }

func (f *fake) api(answer func(*http.Request) map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		hold := f.hold
		f.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.down {
			problem.Write(w, problem.Details{Status: 503, Detail: "the store cannot be reached"})
			return
		}
		if d := r.FormValue("domain") + r.FormValue("url"); strings.Contains(d, "!") {
			problem.Write(w, problem.Details{Status: 400, Detail: "not a domain", Field: "domain"})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer(r))
	}
}

func (f *fake) live(w http.ResponseWriter, r *http.Request) {
	for first := true; ; first = false {
		f.mu.Lock()
		down, changed := f.down, f.changed
		data, _ := json.Marshal(map[string]any{"at": "2015-05-20T00:00:00Z", "events": len(f.views), "lag": 0, "current_visitors": f.current})
		f.mu.Unlock()
		if down {
			if first {
				problem.Write(w, problem.Details{Status: 503, Detail: "going down"})
			}
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: update\ndata: %s\n\n", data)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// selected returns the pageviews of a page or domain in the range.
func (f *fake) selected(r *http.Request) []pageview {
	url := r.FormValue("url") + r.FormValue("domain")
	from, err1 := time.Parse(time.RFC3339, r.FormValue("from"))
	to, err2 := time.Parse(time.RFC3339, r.FormValue("to"))
	if err1 != nil || err2 != nil {
		panic(fmt.Sprint("the page asked for a range that is none: ", r.URL))
	}
	var list []pageview
	for _, v := range f.views {
		if (v.domain == url || v.domain+v.path == url || url == "") && !v.at.Before(from) && v.at.Before(to) {
			list = append(list, v)
		}
	}
	return list
}

func (f *fake) answer(list []pageview, with map[string]any) map[string]any {
	hours := map[int64]bool{}
	for _, v := range list {
		hours[v.at.Unix()/3600] = true
	}
	a := map[string]any{
		"exact":   true,
		"covered": map[string]any{"events": len(f.views), "lag": 0, "age_seconds": 0, "settled": true},
		"sources": map[string]any{"batch_hours": 0, "speed_hours": len(hours)},
	}
	if !f.cut.IsZero() {
		a["sources"] = map[string]any{"batch_hours": len(hours), "speed_hours": 1, "batch_run": 7, "batch_until": f.cut.UTC().Format(time.RFC3339)}
	}
	maps.Copy(a, with)
	return a
}

// accuracy returns the accuracy found by run 7.
func (f *fake) accuracy(*http.Request) map[string]any {
	return map[string]any{"runs": []any{map[string]any{"run": 7, "views": []any{
		map[string]any{"view": "pageviews", "cells": 2000, "exact": 1999, "causes": []any{map[string]any{"cause": "dedupe window", "cells": 1, "off": 1}}},
		map[string]any{"view": "uniques", "cells": 2000, "exact": 2000},
	}}}}
}

// parts adds the hours or days of the answer, only those with a view.
func parts(a map[string]any, r *http.Request, list []pageview, part func([]pageview) map[string]any) map[string]any {
	by := r.FormValue("by")
	layout := map[string]string{"hour": "2006-01-02T15:00:00Z", "day": "2006-01-02"}[by]
	if by == "" {
		return a
	}
	groups := map[string][]pageview{}
	for _, v := range list {
		key := v.at.UTC().Format(layout)
		groups[key] = append(groups[key], v)
	}
	out := []map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		p := part(groups[key])
		p[by] = key
		out = append(out, p)
	}
	a[by+"s"] = out
	return a
}

func persons(list []pageview) int {
	set := map[string]bool{}
	for _, v := range list {
		set[v.person] = true
	}
	return len(set)
}

func (f *fake) pageviews(r *http.Request) map[string]any {
	list := f.selected(r)
	count := func(l []pageview) map[string]any { return map[string]any{"pageviews": len(l)} }
	return parts(f.answer(list, count(list)), r, list, count)
}

func (f *fake) uniques(r *http.Request) map[string]any {
	list := f.selected(r)
	count := func(l []pageview) map[string]any { return map[string]any{"visitors": persons(l)} }
	a := f.answer(list, count(list))
	a["exact"], a["relative_error"] = f.estimate == 0, f.estimate
	return parts(a, r, list, count)
}

// bounces treats each person and day as a visit, which is enough for a fake.
func (f *fake) bounces(r *http.Request) map[string]any {
	list := f.selected(r)
	count := func(l []pageview) map[string]any {
		visits := map[string]int{}
		bounces := 0
		for _, v := range l {
			visits[v.person+v.at.Format(time.DateOnly)]++
		}
		for _, n := range visits {
			if n == 1 {
				bounces++
			}
		}
		a := map[string]any{"visits": len(visits), "bounces": bounces, "bounce_rate": nil}
		if len(visits) > 0 {
			a["bounce_rate"] = float64(bounces) / float64(len(visits))
		}
		return a
	}
	return parts(f.answer(list, count(list)), r, list, count)
}

func (f *fake) top(r *http.Request) map[string]any {
	list := f.selected(r)
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil {
		panic("the page asked for top without a limit")
	}
	groups := map[string][]pageview{}
	for _, v := range list {
		groups[v.domain+v.path] = append(groups[v.domain+v.path], v)
	}
	pages := []map[string]any{}
	for _, url := range slices.Sorted(maps.Keys(groups)) {
		pages = append(pages, map[string]any{"url": url, "pageviews": len(groups[url]), "visitors": persons(groups[url]), "exact": true})
	}
	slices.SortStableFunc(pages, func(a, b map[string]any) int { return b["pageviews"].(int) - a["pageviews"].(int) })
	return f.answer(list, map[string]any{"pages": pages[:min(limit, len(pages))], "total_pages": len(pages)})
}

func (f *fake) domains(r *http.Request) map[string]any {
	counts := map[string]int{}
	for _, v := range f.selected(r) {
		counts[v.domain]++
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, r.FormValue("search")) })
	total := len(names)
	if limit, err := strconv.Atoi(r.FormValue("limit")); err == nil {
		names = names[:min(limit, total)]
	}
	list := []map[string]any{}
	for _, name := range names {
		list = append(list, map[string]any{"domain": name, "pageviews": counts[name]})
	}
	return f.answer(nil, map[string]any{"domains": list, "total_domains": total, "truncated": false})
}

// someViews returns n pageviews of a domain over a few days, more by day than by
// night, always the same ones.
func someViews(domain string, from time.Time, days, n int) []pageview {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	paths := []string{"/", "/pricing", "/blog/how-visits-are-counted", "/docs", "/blog/exact-uniques", "/about", "/docs/install", "/blog", "/changelog",
		"/docs/api/pageviews", "/careers", "/contact", "/blog/a-rather-long-title-that-does-not-fit-on-a-phone-without-being-cut-off"}
	views := make([]pageview, n)
	for i := range views {
		hour := 13 + 4.5*rnd.NormFloat64()
		at := from.Add(time.Duration(rnd.IntN(days))*24*time.Hour + time.Duration(max(0, min(23.99, hour))*float64(time.Hour)))
		views[i] = pageview{person: fmt.Sprint("p", rnd.IntN(n/2)), domain: domain, path: paths[min(len(paths)-1, int(rnd.ExpFloat64()*2.6))], at: at}
	}
	return views
}
