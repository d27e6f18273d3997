package query_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/query/api"
	"speedlayer/record"
	"speedlayer/store"
)

// TestClient checks that both implementations of Answers agree, also in errors.
func TestClient(t *testing.T) {
	w := smallWorld(t, nil)
	server := httptest.NewServer(serve(w))
	defer server.Close()
	client, err := api.NewClient(strings.TrimPrefix(server.URL, "http://")+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, ask := range map[string]func(a query.Answers) (any, error){
		"pageviews": func(a query.Answers) (any, error) {
			return a.Pageviews(ctx, query.URLQuery{URL: "foo.com/about", From: "now-24h", To: "now", By: "day"})
		},
		"uniques": func(a query.Answers) (any, error) {
			return a.Uniques(ctx, query.URLQuery{URL: "foo.com", From: "2026-03-01T10:00Z", To: "now"})
		},
		"bounce rate": func(a query.Answers) (any, error) {
			return a.BounceRate(ctx, query.DomainQuery{Domain: "bar.org:8080", From: "now-24h", To: "now"})
		},
		"top": func(a query.Answers) (any, error) {
			return a.Top(ctx, query.TopQuery{Domain: "foo.com", From: "now-24h", To: "now", Limit: 5})
		},
		"domains": func(a query.Answers) (any, error) { return a.Domains(ctx, query.DomainsQuery{Limit: 1}) },
		"add":     func(a query.Answers) (any, error) { return a.AddEquiv(ctx, "eve", "<b>\u2028&\"") },
		"list":    func(a query.Answers) (any, error) { return a.Equivs(ctx) },
		"export": func(a query.Answers) (any, error) {
			var all []query.Cell
			err := a.Export(ctx, query.ExportQuery{View: "uniques"}, func(c query.Cell) error { all = append(all, c); return nil })
			return all, err
		},
		"no url": func(a query.Answers) (any, error) { return a.Pageviews(ctx, query.URLQuery{From: "now", To: "now"}) },
		"bad time": func(a query.Answers) (any, error) {
			return a.Uniques(ctx, query.URLQuery{URL: "a.b", From: "x", To: "now"})
		},
		"bad by": func(a query.Answers) (any, error) {
			return a.BounceRate(ctx, query.DomainQuery{Domain: "a.b", From: "now", To: "now", By: "x"})
		},
		"bad limit": func(a query.Answers) (any, error) {
			return a.Top(ctx, query.TopQuery{Domain: "a.b", From: "now", To: "now", Limit: -1})
		},
		"large limit": func(a query.Answers) (any, error) { return a.Domains(ctx, query.DomainsQuery{Limit: 1 << 40}) },
		"bad view":    func(a query.Answers) (any, error) { return nil, a.Export(ctx, query.ExportQuery{View: "x"}, nil) },
		"bad pair":    func(a query.Answers) (any, error) { return a.AddEquiv(ctx, "\xff", "b") },
		"same pair":   func(a query.Answers) (any, error) { return a.RemoveEquiv(ctx, "b", "b") },
	} {
		t.Run(name, func(t *testing.T) {
			here, err1 := ask(w.engine)
			there, err2 := ask(client)
			if !reflect.DeepEqual(here, there) {
				a, _ := json.Marshal(here)
				b, _ := json.Marshal(there)
				t.Errorf("here\n%s\nthere\n%s", a, b)
			}
			if (err1 == nil) != (err2 == nil) || err1 != nil && (err1.Error() != err2.Error() || !query.IsBadRequest(err1) || !query.IsBadRequest(err2)) {
				t.Errorf("here %v, there %v", err1, err2)
			}
		})
	}
}

// TestClientFailures checks that a failure is not reported as a bad request.
func TestClientFailures(t *testing.T) {
	s := newTorn()
	mux := http.NewServeMux()
	api.New(api.Config{Engine: s.engine(), Now: time.Now}).Register(mux)
	server := httptest.NewServer(mux)
	client, err := api.NewClient(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.fail = "commits"
	_, err = client.Status(t.Context())
	var e *query.Error
	if query.IsBadRequest(err) || !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "away") {
		t.Errorf("the store is away: %v", err)
	}
	if _, err = client.AddEquiv(t.Context(), "a", "b"); query.IsBadRequest(err) || err == nil {
		t.Errorf("no queue: %v", err)
	}
	// An export that fails after its first lines.
	s.move(0)
	for hour := range int32(3000) {
		s.put(0, 0, hour, 1, 1)
	}
	s.fail = ""
	s.hook = func(step string) {
		if n := len(s.steps); n > 3 && step == "scan 0" && s.steps[n-2] == "scan 0" && s.steps[n-3] == "scan 0" {
			s.fail = step // the third view; the second is pageviews
		}
	}
	n := 0
	err = client.Export(t.Context(), query.ExportQuery{}, func(query.Cell) error { n++; return nil })
	if err == nil || query.IsBadRequest(err) || n == 0 {
		t.Errorf("broken export: %d lines, %v", n, err)
	}
	server.Close()
	if _, err = client.Status(t.Context()); err == nil || query.IsBadRequest(err) {
		t.Errorf("no server: %v", err)
	}
	for _, bad := range []string{"", "ftp://x", "http://", "http://x?y=1", "::"} {
		if _, err := api.NewClient(bad, nil); !query.IsBadRequest(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestEquivWaits checks that a POST is answered when the edge has come back through
// the log, in the order of the log.
func TestEquivWaits(t *testing.T) {
	var appended []event.Edge
	w := newWorld(t, 1, func(c *query.Config) {
		c.Append = func(_ context.Context, e event.Edge) error { appended = append(appended, e); return nil }
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.engine.AddEquiv(ctx, "b", "a"); !errors.Is(err, context.Canceled) {
		t.Fatalf("answered before it was applied: %v", err)
	}
	if len(appended) != 1 || w.edges.Len() != 0 || appended[0].TS != w.now.UnixMilli() {
		t.Fatal(appended, w.edges.Len())
	}
	w = newWorld(t, 1, func(c *query.Config) {
		c.Append = func(context.Context, event.Edge) error { return errTorn }
	})
	if _, err := w.engine.AddEquiv(t.Context(), "b", "a"); !errors.Is(err, errTorn) {
		t.Fatal(err)
	}
}

// TestLag: what the log has beyond the position, and how old that is.
func TestLag(t *testing.T) {
	w := newWorld(t, 2, nil)
	ask := func() query.Covered {
		t.Helper()
		w.now = w.now.Add(time.Second) // the answer of LogEnds is good for less
		a, err := w.engine.Pageviews(t.Context(), query.URLQuery{URL: "foo.com", From: "now-1h", To: "now"})
		if err != nil {
			t.Fatal(err)
		}
		return a.Covered
	}
	if c := ask(); *c.Lag != 0 || *c.AgeSeconds != 0 {
		t.Fatalf("empty: %+v", c)
	}
	w.visit("ada", "http://foo.com/")
	if c := ask(); *c.Lag != 1 {
		t.Fatalf("before the first commit: %+v", c)
	}
	w.commit()
	if c := ask(); *c.Lag != 0 || *c.AgeSeconds != 0 || c.Events != 1 {
		t.Fatalf("committed: %+v", c)
	}
	w.visit("ada", "http://foo.com/")
	w.now = w.now.Add(9 * time.Second)
	if c := ask(); *c.Lag != 1 || *c.AgeSeconds != 12 {
		t.Fatalf("a record waits: lag %d, age %v", *c.Lag, *c.AgeSeconds)
	}
	engine := query.New(query.Config{Store: w.store, Edges: w.edges, Now: func() time.Time { return w.now },
		LogEnds: func(context.Context) (map[store.Shard]int64, error) { return nil, errTorn }})
	a, err := engine.Status(t.Context())
	if err != nil || a.Covered.Lag != nil || a.Covered.AgeSeconds != nil || a.Counts.Events != 1 {
		t.Fatalf("the queue is away: %+v %v", a, err)
	}
}

// TestLagWhileRecordsAreRerouted: a record that was sent to another partition is part of the
// lag until it has arrived, though LogEnds knows of the time before.
func TestLagWhileRecordsAreRerouted(t *testing.T) {
	var old map[store.Shard]int64
	asked := 0
	w := newWorld(t, 2, nil)
	w.moves = true
	cfg := query.Config{Store: w.store, Edges: w.edges, Now: func() time.Time { return w.now },
		LogEnds: func(context.Context) (map[store.Shard]int64, error) { return old, nil },
		LogEndsAsked: func(ctx context.Context) (map[store.Shard]int64, error) {
			asked++
			return w.logEnds(ctx)
		}}
	want := func(lag int64, times int) {
		t.Helper()
		a, err := query.New(cfg).Status(t.Context())
		if err != nil || a.Covered.Lag == nil || *a.Covered.Lag != lag || asked != times {
			t.Fatalf("lag %+v after %d questions, want %d after %d: %v", a.Covered, asked, lag, times, err)
		}
	}
	w.visit("ada", "http://foo.com/")
	home := record.PartitionOf([]byte("ada"), 2)
	value := fmt.Appendf(nil, `{"nonce":"x","person":"ada","url":"http://foo.com/","ts":%d}`, w.now.UnixMilli())
	w.record(1-home, []byte("ada"), value)
	old, _ = w.logEnds(t.Context())
	w.commit() // its copy is on its way
	w.record(home, []byte("ada"), value, kgo.RecordHeader{Key: record.ReroutedHeader, Value: fmt.Appendf(nil, "0/%d/0", 1-home)})
	want(1, 1)
	w.commit()
	want(0, 1)
}
