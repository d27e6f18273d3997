package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"speedlayer/collector/imports"
	"speedlayer/queue"
)

// rowsInMemory are the rows of a store.
type rowsInMemory struct{ rows sync.Map }

func (r *rowsInMemory) Row(_ context.Context, name string) ([]byte, error) {
	if v, ok := r.rows.Load(name); ok {
		return []byte(v.(string)), nil
	}
	return nil, nil
}

func (r *rowsInMemory) SwapRow(_ context.Context, name string, from, to []byte) (bool, error) {
	if from == nil {
		_, there := r.rows.LoadOrStore(name, string(to))
		return !there, nil
	}
	return r.rows.CompareAndSwap(name, string(from), string(to)), nil
}

// Batches over HTTP, into the real broker: sent again, cut in another way, and
// wrong in every way that a client can be.
func TestImportOverHTTP(t *testing.T) {
	q := startQueue(t)
	c := New(Config{Queue: q, Wait: func(context.Context, []queue.Position) error { return nil },
		Imports: imports.New(imports.Config{Rows: &rowsInMemory{}, Log: q, Alone: true})})
	mux := http.NewServeMux()
	for path, methods := range c.Handlers() {
		mux.Handle(path, methods)
	}
	id, hash := strings.Repeat("0a", 16), strings.Repeat("b", 32)
	do := func(method, path, body string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-ndjson")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	var lines strings.Builder
	for i := range 3 {
		fmt.Fprintf(&lines, "{\"nonce\":\"n%d\",\"person\":\"p\",\"url\":\"http://a.b/\",\"ts\":1700000000000,\"was\":\"x\"}\n", i)
	}
	at := "/api/v1/imports/" + id
	for _, call := range []struct {
		query, body          string
		status               int
		accepted, duplicates int
		rejected             int
	}{
		{"?from=0&to=3:" + hash + "&wait=applied", lines.String(), 200, 3, 0, 0},
		{"?from=0&to=3:" + hash + "&wait=applied", lines.String(), 200, 3, 3, 0},
		{"?from=0&to=2:" + hash, lines.String(), 202, 3, 3, 0},
		{"?from=3:" + hash + "&to=5:" + hash, "", 202, 0, 0, 0},
		{"?from=5:" + hash + "&to=9:" + hash, "{\"person\":\"p\",\"url\":\"http://a.b/\",\"ts\":1700000000000}\nx\n", 202, 0, 0, 2},
		{"?from=7:" + hash + "&to=10:" + hash, "", 409, 0, 0, 0},
		{"?from=9:" + hash + "&to=9:" + hash, "", 400, 0, 0, 0},
		{"?from=0&to=x", "", 400, 0, 0, 0},
		{"?from=0:" + hash + "&to=9:" + hash, "", 400, 0, 0, 0},
		{"?from=0&to=9:" + hash + "&wait=no", "", 400, 0, 0, 0},
		{"?from=0&to=9:" + hash + "&y=1", "", 400, 0, 0, 0},
		{"?from=0&to=9:" + hash, strings.Repeat(lines.String(), 4000), 413, 0, 0, 0},
	} {
		status, body := do("POST", at+call.query, call.body)
		var a importAnswer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Fatal(err)
		}
		if status != call.status || status < 300 && (a.Accepted != call.accepted || a.Duplicates != call.duplicates || len(a.Rejected) != call.rejected) {
			t.Errorf("%s: %d %s; want %+v", call.query, status, body, call)
		}
	}
	status, body := do("GET", at, "")
	var known imports.Known
	if err := json.Unmarshal([]byte(body), &known); err != nil || status != 200 || len(known.Marks) != 4 || known.Before {
		t.Errorf("GET: %d %s", status, body)
	}
	if _, records := readLog(t, q); records != 3 {
		t.Errorf("%d records in the log, want 3", records)
	}
	for path, want := range map[string]int{
		at + "?x=1": 400, "/api/v1/imports/xyz": 400, "/api/v1/applied?at=0:1&at=1:2": 200, "/api/v1/applied": 400,
		"/api/v1/applied?at=0": 400, "/api/v1/applied?at=-1:4": 400,
	} {
		if status, body := do("GET", path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
