package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"speedlayer/internal/problem"
)

func testDaemon(t *testing.T, data string) *daemon {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	d, err := startDaemon(t.Context(), nodeOptions{Data: data, Logger: logger}, serverOptions{Listen: "127.0.0.1:0", Pprof: "127.0.0.1:0", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func do(t *testing.T, method, url, contentType, body string) (status int, header http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// Every path of the contract is served, and errors on every path are problem
// details.
func TestServer(t *testing.T) {
	data := t.TempDir()
	d := testDaemon(t, data)
	url := d.server.url()
	const view = `{"nonce":"1","person":"p","url":"http://foo.com/a","ts":"2026-01-05T10:00:00Z"}`
	if status, _, body := do(t, "POST", url+"/api/v1/pageviews?wait=applied", "application/json", view); status != 200 {
		t.Fatal(status, body)
	}
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/api/v1/pageviews?url=foo.com&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"pageviews":1`},
		{"GET", "/api/v1/uniques?url=foo.com/a&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"visitors":1`},
		{"GET", "/api/v1/bounce-rate?domain=foo.com&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"bounce_rate":1`},
		{"GET", "/api/v1/top?domain=foo.com&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"foo.com/a"`},
		{"GET", "/api/v1/status", 200, `"kafka"`},
		{"GET", "/api/v1/equivs", 200, `"equivs"`},
		{"GET", "/api/v1/cells", 200, `"kafka"`},
		{"GET", "/", 200, "<html"},
		{"GET", "/js/script.js", 200, "pageview"},
		{"GET", "/openapi.yaml", 200, "openapi: 3.1.0"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 200, "ready"},
		{"GET", "/metrics", 200, `speedlayer_records_total{partition="`},
		{"HEAD", "/api/v1/status", 200, ""},
		{"GET", "/nowhere", 404, "see /openapi.yaml"},
		{"GET", "/api/v1/nowhere", 404, "see /openapi.yaml"},
		{"PUT", "/api/v1/pageviews", 405, "GET, POST, OPTIONS"},
		{"DELETE", "/", 405, "GET"},
		{"POST", "/metrics", 405, "GET"},
		{"GET", "/debug/pprof/", 404, ""}, // on an address of its own only
	} {
		status, header, body := do(t, c.method, url+c.path, "", "")
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %.200s: want %d with %s", c.method, c.path, status, body, c.status, c.want)
		}
		if status >= 400 && c.method != "HEAD" && header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s %s: an error of type %s", c.method, c.path, header.Get("Content-Type"))
		}
	}
	// A stopping server says so, and takes nothing.
	d.server.stopping.Store(true)
	if status, _, _ := do(t, "GET", url+"/readyz", "", ""); status != http.StatusServiceUnavailable {
		t.Errorf("a stopping server is ready: %d", status)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	// Counts go on behind a restart.
	d = testDaemon(t, data)
	defer func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}()
	_, _, body := do(t, "GET", d.server.url()+"/metrics", "", "")
	if !strings.Contains(body, `result="event"} 1`) {
		t.Error("events counted before the restart are not in the metrics")
	}
}
