package query_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"speedlayer/internal/problem"
	"speedlayer/query"
	"speedlayer/query/api"
)

var update = flag.Bool("update", false, "write testdata/http.golden")

// sizes depend on how Pebble keeps its files.
var sizes = regexp.MustCompile(`"store":{[^}]*}`)

// smallWorld is three persons on two domains.
func smallWorld(t testing.TB, config func(*query.Config)) *world {
	w := newWorld(t, 2, config)
	at := func(hour, minute int) { w.now = time.Date(2026, 3, 1, hour, minute, 0, 0, time.UTC) }
	at(10, 0)
	w.visit("ada", "http://foo.com/")
	w.visit("ada", "http://foo.com/about")
	w.visit("bob", "http://foo.com/about?x=1")
	at(11, 15)
	w.visit("eve", "https://bar.org:8080/p&q")
	w.visit("ada", "http://foo.com/about")
	w.commit()
	at(12, 30)
	return w
}

func serve(w *world) *http.ServeMux { return serveWith(w, api.Config{}) }

// serveWith serves the engine of w; the configuration says the rest.
func serveWith(w *world, cfg api.Config) *http.ServeMux {
	cfg.Engine, cfg.Now = w.engine, func() time.Time { return w.now }
	mux := http.NewServeMux()
	api.New(cfg).Register(mux)
	return mux
}

// call is one line of the golden file: a method, a path, and a body.
func call(h http.Handler, line string) *httptest.ResponseRecorder {
	method, rest, _ := strings.Cut(line, " ")
	target, body, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, "/api/v1/pageviews", strings.NewReader(body))
	path, raw, _ := strings.Cut(target, "?")
	r.URL = &url.URL{Path: "/api/v1" + path, RawQuery: raw}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestHTTP compares the calls in testdata/http.golden with what they answer.
// Lines that begin with a method are calls; what follows is the answer.
func TestHTTP(t *testing.T) {
	const file = "testdata/http.golden"
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := serve(smallWorld(t, nil))
	var got bytes.Buffer
	for line := range strings.Lines(string(golden)) {
		switch {
		case strings.HasPrefix(line, "#"), line == "\n":
			got.WriteString(line)
			continue
		case !strings.HasPrefix(line, "GET ") && !strings.HasPrefix(line, "POST ") && !strings.HasPrefix(line, "DELETE ") && !strings.HasPrefix(line, "PUT "):
			continue
		}
		w := call(h, strings.TrimSuffix(line, "\n"))
		body := sizes.ReplaceAllString(strings.TrimRight(w.Body.String(), "\n"), `"store":{}`)
		fmt.Fprintf(&got, "%s  %d %s\n  %s\n", line, w.Code, w.Header().Get("Content-Type"), strings.ReplaceAll(body, "\n", "\n  "))
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached", line)
		}
		if w.Code >= 400 && w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: the error is not a problem", line)
		}
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(string(golden), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("%s:%d: now\n%s", file, i+1, line)
		}
	}
}

// TestBody: a type other than JSON, and a body that is too large.
func TestBody(t *testing.T) {
	h := serve(smallWorld(t, nil))
	post := func(kind, body string) int {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/equivs", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 400 && w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: the error is not a problem", body)
		}
		return w.Code
	}
	const pair = `{"id1":"a","id2":"b"}`
	for kind, want := range map[string]int{"": 200, "application/json": 200, "Application/JSON; charset=utf-8": 200,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "application/jsonx": 415} {
		if got := post(kind, pair); got != want {
			t.Errorf("%q: %d, want %d", kind, got, want)
		}
	}
	if got := post("", pair+strings.Repeat(" ", 20_000)); got != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", got)
	}
	if got := post("", "{\"id1\":\"a\",\"id2\":\"b\xff\"}"); got != http.StatusBadRequest {
		t.Errorf("no UTF-8: %d", got)
	}
	if got := post("", `{"id1":"`+strings.Repeat("a", 257)+`","id2":"b"}`); got != http.StatusBadRequest {
		t.Errorf("too long: %d", got)
	}
}

// TestFailing: a store that is away is 503, never an empty answer.
func TestFailing(t *testing.T) {
	for _, target := range []string{"pageviews?url=a.b&from=1970-01-01&to=now", "uniques?url=a.b&from=1970-01-01&to=now", "bounce-rate?domain=a.b&from=1970-01-01&to=now",
		"top?domain=a.b&from=1970-01-01&to=now", "domains?from=1970-01-01&to=now", "export", "status"} {
		s := newTorn()
		mux := http.NewServeMux()
		api.New(api.Config{Engine: s.engine(), Now: time.Now}).Register(mux)
		s.fail = "commits"
		w := call(mux, "GET /"+target)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != problem.ContentType || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

// FuzzQuery checks that no query string makes the server fail, and that every error
// tells what is allowed.
func FuzzQuery(f *testing.F) {
	w := smallWorld(f, nil)
	h := serve(w)
	paths := []string{"pageviews", "uniques", "bounce-rate", "top", "domains", "export", "equivs", "status"}
	for _, seed := range []string{
		"url=foo.com&from=2026-03-01T10:00Z&to=now&by=hour", "domain=foo.com&from=now-24h&to=now&limit=3", "url=%ff&from=1&to=2",
		"a;b", "view=uniques&format=csv", "url=foo.com&url=bar.com", "from=9999-12-31T23:00Z&to=9999-12-31T23:00Z", "limit=99999999999999999999",
	} {
		for i := range paths {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, path uint8, raw string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: "/api/v1/" + paths[int(path)%len(paths)], RawQuery: raw}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		switch {
		case rec.Code == http.StatusOK:
		case rec.Code == http.StatusBadRequest:
			var d problem.Details
			if err := json.Unmarshal(rec.Body.Bytes(), &d); err != nil || d.Field == "" || d.Detail == "" || d.Allowed == "" {
				t.Fatalf("%s?%s: %s", r.URL.Path, raw, rec.Body)
			}
		default:
			t.Fatalf("%s?%s: %d %s", r.URL.Path, raw, rec.Code, rec.Body)
		}
	})
}
