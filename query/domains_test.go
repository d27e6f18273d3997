package query_test

import (
	"testing"
	"time"

	"speedlayer/query"
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
