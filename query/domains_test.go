package query_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/crdt"
	"speedlayer/query"
	"speedlayer/query/api"
	"speedlayer/store"
	"speedlayer/view"
)

// TestDomains: a domain whose only visit began before the range, and one whose
// views are all out of it.
func TestDomains(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.now = time.Date(2026, 3, 1, 11, 45, 0, 0, time.UTC)
	w.visit("ada", "http://early.com/")
	w.visit("bob", "http://gone.com/")
	w.now = w.now.Add(25 * time.Minute)
	w.visit("ada", "http://early.com/more")
	w.commit()
	a, err := w.engine.Domains(t.Context(), query.DomainsQuery{From: "2026-03-01T12:00Z", To: "2026-03-01T13:00Z"})
	if err != nil || a.Total != 1 || len(a.Domains) != 1 || a.Domains[0] != (query.DomainCount{Domain: "early.com", Pageviews: 1}) {
		t.Fatalf("%+v %v", a, err)
	}
	a, err = w.engine.Domains(t.Context(), query.DomainsQuery{From: "2026-03-01T12:00Z", To: "2026-03-01T12:00Z"})
	if err != nil || a.Total != 0 || a.Domains == nil {
		t.Fatalf("%+v %v", a, err)
	}
}

// TestDomainsSearch finds a part of a name in any case. Domains above the bound are
// not counted, and the answer reports that.
func TestDomainsSearch(t *testing.T) {
	w := newWorld(t, 2, nil)
	for i := range 30 {
		for range 1 + i%3 {
			w.visit("ada", fmt.Sprintf("http://shop%02d.example/%d", i, i))
		}
	}
	w.visit("bob", "http://blog.org/")
	w.commit()
	ask := func(q query.DomainsQuery) *query.DomainsAnswer {
		t.Helper()
		q.From, q.To = "2026-03-01T00:00Z", "2026-03-02T00:00Z"
		a, err := w.engine.Domains(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := ask(query.DomainsQuery{Search: " SHOP1", Limit: 2}); a.Total != 10 || a.Truncated || len(a.Domains) != 2 ||
		a.Domains[0] != (query.DomainCount{Domain: "shop11.example", Pageviews: 3}) || a.Domains[1].Domain != "shop14.example" {
		t.Errorf("%+v", a)
	}
	if a := ask(query.DomainsQuery{Search: "nowhere"}); a.Total != 0 || len(a.Domains) != 0 {
		t.Errorf("%+v", a)
	}
	if a := ask(query.DomainsQuery{Limit: 3}); a.Total != 31 || a.Domains[2].Domain != "shop08.example" {
		t.Errorf("%+v", a)
	}
	w.engine.SetCounted(5)
	if a := ask(query.DomainsQuery{}); a.Total != 5 || !a.Truncated || len(a.Notes) != 1 || a.Domains[0].Domain != "shop02.example" {
		t.Errorf("%+v", a)
	}
	if _, err := w.engine.Domains(t.Context(), query.DomainsQuery{Search: strings.Repeat("x", 254)}); !query.IsBadRequest(err) {
		t.Errorf("a long search: %v", err)
	}
}

// TestDomainsObeyTheDeadline: the loops over cells end with the context, in the
// store and in the batch views.
func TestDomainsObeyTheDeadline(t *testing.T) {
	w := newWorld(t, 1, nil)
	for i := range 3000 {
		w.visit("ada", fmt.Sprintf("http://d%04d.example/", i))
	}
	w.commit()
	for name, make := range map[string]func(){"speed": func() {}, "batch": func() { w.run() }} {
		make()
		ctx := &ending{Context: t.Context()}
		_, err := w.engine.Domains(ctx, query.DomainsQuery{From: "2026-03-01T00:00Z", To: "2026-03-02T00:00Z"})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: answered with %v", name, err)
		}
	}
}

// ending is a context that has ended, which only a call of Err reveals.
type ending struct{ context.Context }

func (*ending) Err() error { return context.DeadlineExceeded }

// TestVeryManyDomains: queries at once over 200,000 domains are answered, or refused by
// their deadline with a reason that tells so. Those of one hour need not go through the
// domains of all hours.
func TestVeryManyDomains(t *testing.T) {
	const domains = 200_000
	w := newWorld(t, 1, nil)
	b := &store.Batch{Commit: store.Commit{Offset: domains}}
	from := int32(w.now.Unix()/3600) - 100
	for i := range domains {
		for _, url := range []string{fmt.Sprintf("d%06d.example", i), fmt.Sprintf("d%06d.example/", i)} {
			k := store.Key{View: view.PageviewsView, URL: url, Hour: from + int32(i%100)}
			b.Cells = append(b.Cells, store.Cell{Key: k, Version: int64(i + 1), Value: crdt.AppendCount(nil, 1)})
		}
	}
	if err := w.store.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	mux := serveWith(w, api.Config{QueryTime: time.Minute})
	hour := func(h int32) string { return time.Unix(int64(from+h)*3600, 0).UTC().Format(time.RFC3339) }
	all, one := "?from="+hour(0)+"&to="+hour(100), "?from="+hour(7)+"&to="+hour(8)
	var asking sync.WaitGroup
	for _, c := range []struct{ path, want string }{
		{"/api/v1/domains" + all, `"total_domains":200000`}, {"/api/v1/domains" + all + "&search=99", `"total_domains":`},
		{"/api/v1/domains" + one, `"total_domains":2000,`}, {"/api/v1/domains" + one + "&limit=1", `"domains":[{"domain":"d000007.example","pageviews":1}]`},
		{"/api/v1/top" + all + "&domain=d000001.example", `"total_pages":1`}, {"/api/v1/top" + one + "&domain=d000007.example", `"total_pages":1`},
	} {
		asking.Go(func() {
			res := httptest.NewRecorder()
			mux.ServeHTTP(res, httptest.NewRequest(http.MethodGet, c.path, http.NoBody))
			switch text := res.Body.String(); res.Code {
			case http.StatusOK:
				if !strings.Contains(text, c.want) {
					t.Errorf("%s: %.300s, want %s", c.path, text, c.want)
				}
			case http.StatusServiceUnavailable, http.StatusTooManyRequests:
				if !strings.Contains(text, "not done in time") && !strings.Contains(text, "too many queries") {
					t.Errorf("%s: %d %s", c.path, res.Code, text)
				}
			default:
				t.Errorf("%s: %d %s", c.path, res.Code, text)
			}
		})
	}
	asking.Wait()
	// Of one hour, only its domains are read, however many others there are.
	r, err := w.store.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	read := 0
	ctx := &counted{Context: t.Context(), asked: &read}
	cells := 0
	if err := r.(store.DomainScanner).ScanDomains(ctx, store.Range{View: view.PageviewsView, Prefix: true, From: from + 7, To: from + 8},
		func(*store.ScanCell) error { cells++; return nil }); err != nil || cells != domains/100 || read != 0 {
		t.Errorf("%d cells of domains in an hour, and %d checks of the deadline: %v", cells, read, err)
	}
}

// counted is a context that counts how often a loop asks whether it has ended, which
// loops do every some thousand steps.
type counted struct {
	context.Context
	asked *int
}

func (c *counted) Err() error {
	*c.asked++
	return c.Context.Err()
}
