package collector

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/event"
	"speedlayer/internal/problem"
	"speedlayer/queue"
)

// clock is the collector's time in tests.
var clock = time.Date(2015, 5, 17, 10, 0, 0, 0, time.UTC)

// fakeQueue keeps what is appended, and fails where it is told to.
type fakeQueue struct {
	fail func(n int, person, value []byte) error // n counts appends from 0
	hold chan struct{}                           // if not nil, appends end when it is closed
	// began, if not nil, is told of each append.
	began chan struct{}

	mu      sync.Mutex
	n       int
	records []event.Pageview
	wg      sync.WaitGroup
}

func (q *fakeQueue) Append(_ context.Context, person, value []byte, done func(queue.Position, error)) {
	q.mu.Lock()
	n := q.n
	q.n++
	q.mu.Unlock()
	q.wg.Go(func() {
		if q.began != nil {
			q.began <- struct{}{}
		}
		if q.hold != nil {
			<-q.hold
		}
		if q.fail != nil {
			if err := q.fail(n, person, value); err != nil {
				done(queue.Position{}, err)
				return
			}
		}
		var d event.Decoder
		var pv event.Pageview
		if err := d.Decode(append([]byte(nil), value...), &pv); err != nil {
			panic("a record that nobody can read was appended: " + err.Error())
		}
		if string(pv.Person) != string(person) || !pv.HasNonce {
			panic("a record without a nonce, or whose key is not its person, was appended: " + string(value))
		}
		q.mu.Lock()
		q.records = append(q.records, pv)
		at := queue.Position{Partition: 0, Offset: int64(len(q.records) - 1)}
		q.mu.Unlock()
		done(at, nil)
	})
}

func newTest(q *fakeQueue, change func(*Config)) *Collector {
	cfg := Config{Queue: q, Now: func() time.Time { return clock }}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// send sends a request to the collector. headers are name, value, ...
func send(c *Collector, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.Handlers()[r.URL.Path].ServeHTTP(w, r)
	return w
}

func post(c *Collector, body string, headers ...string) *httptest.ResponseRecorder {
	return send(c, "POST", "/api/v1/pageviews", body, headers...)
}

// answer is a good answer or a problem.
type answer struct {
	problem.Details
	Accepted int        `json:"accepted"`
	Rejected []Rejected `json:"rejected"`
}

func read(t testing.TB, w *httptest.ResponseRecorder) (a answer) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	want := "application/json"
	if w.Code >= 400 {
		want = problem.ContentType
	}
	if got := w.Header().Get("Content-Type"); got != want {
		t.Errorf("status %d has content type %q, want %q", w.Code, got, want)
	}
	if w.Code >= 400 && (a.Status != w.Code || a.Title == "") {
		t.Errorf("problem says %d %q, status is %d", a.Status, a.Title, w.Code)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("browsers of other origins may not read the answer")
	}
	return a
}

const one = `{"nonce":"n1","person":"ann","url":"http://foo.com/about","ts":"2015-05-17T09:59:00Z"}`

func TestPageviews(t *testing.T) {
	ndjson := []string{"Content-Type", "application/x-ndjson"}
	ahead := clock.Add(12*time.Hour + time.Millisecond).Format(time.RFC3339Nano)
	for _, tc := range []struct {
		name, body string
		headers    []string
		status     int
		accepted   int
		rejected   string // index and a word of each error
	}{
		{"object", one, []string{"Content-Type", "application/json"}, 202, 1, ""},
		{"object with charset", one, []string{"Content-Type", "application/json; charset=UTF-8"}, 202, 1, ""},
		{"no content type", " \n" + one + "\n", nil, 202, 1, ""},
		{"text/plain", one, []string{"Content-Type", "text/plain;charset=UTF-8"}, 202, 1, ""},
		{"array", "[" + one + ", " + one + " ]", nil, 202, 2, ""},
		{"empty array", "[ ]", nil, 202, 0, ""},
		{"lines", one + "\n\n" + one + "\r\n", ndjson, 202, 2, ""},
		{"one line without an end", one, []string{"Content-Type", "application/ndjson"}, 202, 1, ""},
		{"broken line", one + "\n{broken\n" + one, ndjson, 202, 2, "1 JSON"},
		{"array in lines", one + "\n[" + one + "]", ndjson, 202, 1, "1 object"},
		{"one of an array", "[" + one + `,{"person":"ann","url":"ftp://foo.com/"},5,null]`, nil, 202, 1, "1 http,2 object,3 object"},
		{"brackets in strings", `[{"person":"a]},{\"","url":"http://foo.com/[1]","ts":1000000000000},` + one + "]", nil, 202, 2, ""},
		{"unknown fields", `{"person":"ann","url":"http://foo.com/","ts":1000000000000,"more":{"a":[1,"}"]}}`, nil, 202, 1, ""},
		{"no ts", `{"person":"ann","url":"http://foo.com/"}`, nil, 202, 1, ""},
		{"null ts and nonce", `{"nonce":null,"person":"ann","url":"http://foo.com/","ts":null}`, nil, 202, 1, ""},
		{"12 hours ahead", `{"person":"ann","url":"http://foo.com/","ts":"2015-05-17T22:00:00Z"}`, nil, 202, 1, ""},

		{"more than 12 hours ahead", `{"person":"ann","url":"http://foo.com/","ts":"` + ahead + `"}`, nil, 400, 0, "0 ahead"},
		{"before 1970", `{"person":"ann","url":"http://foo.com/","ts":-1}`, nil, 400, 0, "0 1970"},
		{"no person", `{"url":"http://foo.com/"}`, nil, 400, 0, "0 person"},
		{"empty person", `{"person":"","url":"http://foo.com/"}`, nil, 400, 0, "0 person"},
		{"empty nonce", `{"nonce":"","person":"ann","url":"http://foo.com/","ts":1000000000000}`, nil, 400, 0, "0 nonce"},
		{"long nonce", `{"nonce":"` + strings.Repeat("n", 129) + `","person":"ann","url":"http://foo.com/","ts":1000000000000}`, nil, 400, 0, "0 nonce"},
		{"person a number", `{"person":5,"url":"http://foo.com/","ts":1000000000000}`, nil, 400, 0, "0 person"},
		{"url no page", `{"person":"ann","url":"about:blank","ts":1000000000000}`, nil, 400, 0, "0 url"},
		{"lone surrogate", `{"person":"\ud800","url":"http://foo.com/","ts":1000000000000}`, nil, 400, 0, "0 surrogate"},
		{"bad UTF-8", "{\"person\":\"\xff\",\"url\":\"http://foo.com/\",\"ts\":1}", nil, 400, 0, "0 UTF-8"},
		{"cut object", one[:40], nil, 400, 0, "0 JSON"},
		{"two objects", one + one, nil, 400, 0, "0 JSON"},
		{"all lines broken", "{\n{\n", ndjson, 400, 0, "0 JSON,1 JSON"},
		{"event too long", `{"person":"ann","url":"http://foo.com/","ts":1000000000000,"x":"` + strings.Repeat("x", 64<<10) + `"}`, nil, 400, 0, "0 bytes"},

		{"empty", "", nil, 400, 0, ""},
		{"spaces", " \n", nil, 400, 0, ""},
		{"no lines", "\n\n", ndjson, 400, 0, ""},
		{"number", "5", nil, 400, 0, ""},
		{"compact encoding", "\x01\x00", nil, 400, 0, ""},
		{"array not closed", "[" + one, nil, 400, 0, ""},
		{"array with a comma at its end", "[" + one + ",]", nil, 400, 0, ""},
		{"array without commas", "[" + one + one + "]", nil, 400, 0, ""},
		{"after the array", "[" + one + "]5", nil, 400, 0, ""},
		{"after the empty array", "[]5", nil, 400, 0, ""},
		{"word in an array", "[" + one + ",foo]", nil, 400, 0, ""},
		{"crossed brackets", "[" + one + ",{]}]", nil, 400, 0, ""},
		{"broken object in an array", "[" + one + `,{"person"}]`, nil, 400, 0, ""},
		{"form", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, 0, ""},
		{"other charset", one, []string{"Content-Type", "application/json; charset=latin1"}, 415, 0, ""},
		{"bad content type", one, []string{"Content-Type", ";"}, 415, 0, ""},
		{"two content types", one, []string{"Content-Type", "text/plain", "Content-Type", "application/json; charset=utf-8"}, 415, 0, ""},
		{"encoding", one, []string{"Content-Encoding", "br"}, 415, 0, ""},
		{"no gzip", one, []string{"Content-Encoding", "gzip"}, 400, 0, ""},
		{"no zstd", one, []string{"Content-Encoding", "zstd"}, 400, 0, ""},
		{"empty gzip", "", []string{"Content-Encoding", "gzip"}, 400, 0, ""},
		{"body too large", "[" + strings.Repeat(" ", 1<<20) + "]", nil, 413, 0, ""},
		{"too many events", "[" + strings.Repeat("{},", 100) + "{}]", nil, 413, 0, ""},
		{"too many lines", strings.Repeat("{}\n", 101), ndjson, 413, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := &fakeQueue{}
			c := newTest(q, func(cfg *Config) { cfg.Limits = Limits{BodyBytes: 1 << 20, BatchEvents: 100} })
			w := post(c, tc.body, tc.headers...)
			a := read(t, w)
			if w.Code != tc.status || a.Accepted != tc.accepted {
				t.Errorf("status %d, %d accepted, want %d and %d: %s", w.Code, a.Accepted, tc.status, tc.accepted, w.Body)
			}
			if len(q.records) != tc.accepted {
				t.Errorf("%d records on the queue, want %d", len(q.records), tc.accepted)
			}
			checkRejected(t, a.Rejected, tc.rejected)
			if w.Code < 400 && a.Rejected == nil {
				t.Error("rejected is null, want a list")
			}
			if w.Code >= 400 && tc.rejected == "" && (a.Allowed == "" || a.Field == "") && !strings.HasPrefix(tc.name, "no ") && tc.name != "empty gzip" {
				t.Errorf("the problem says neither field nor what is allowed: %s", w.Body)
			}
		})
	}
}

func checkRejected(t *testing.T, got []Rejected, want string) {
	t.Helper()
	var words []string
	if want != "" {
		words = strings.Split(want, ",")
	}
	if len(got) != len(words) {
		t.Errorf("rejected %v, want %q", got, want)
		return
	}
	for i, w := range words {
		index, word, _ := strings.Cut(w, " ")
		if index != string(rune('0'+got[i].Index)) || !strings.Contains(got[i].Error, word) {
			t.Errorf("rejected %v, want %q", got[i], w)
		}
	}
}

// What is not sent is given: a nonce of its own for each, the collector's clock.
func TestGiven(t *testing.T) {
	q := &fakeQueue{}
	c := newTest(q, nil)
	const without = `{"person":"ann","url":"http://foo.com/"}`
	if w := post(c, "["+without+","+without+","+one+"]"); w.Code != 202 {
		t.Fatal(w.Body)
	}
	nonces := map[string]bool{}
	for _, pv := range q.records {
		nonces[string(pv.Nonce)] = true
		if string(pv.Nonce) != "n1" && (len(pv.Nonce) != 32 || pv.TS != clock.UnixMilli()) {
			t.Errorf("given nonce %q and ts %d", pv.Nonce, pv.TS)
		}
	}
	if len(nonces) != 3 || !nonces["n1"] {
		t.Errorf("nonces %v: want n1 and two others", nonces)
	}
}

func TestQueryParameters(t *testing.T) {
	c := newTest(&fakeQueue{}, func(cfg *Config) {
		cfg.Wait = func(context.Context, []queue.Position) error { return nil }
	})
	for query, status := range map[string]int{
		"": 202, "?": 202, "?wait=applied": 200, "?wait": 400, "?wait=": 400, "?wait=yes": 400, "?WAIT=applied": 400,
		"?wait=applied&wait=applied": 400, "?wait=applied&x=1": 400, "?x=1": 400, "?wait=%": 400, "?a;b": 400,
	} {
		if w := send(c, "POST", "/api/v1/pageviews"+query, one); w.Code != status {
			t.Errorf("%q: status %d, want %d", query, w.Code, status)
		} else {
			read(t, w)
		}
	}
}

func TestWaitApplied(t *testing.T) {
	q := &fakeQueue{}
	var waited []queue.Position
	err := error(nil)
	c := newTest(q, func(cfg *Config) {
		cfg.Wait = func(_ context.Context, at []queue.Position) error {
			waited = append([]queue.Position(nil), at...)
			return err
		}
	})
	w := send(c, "POST", "/api/v1/pageviews?wait=applied", "["+one+",{},"+one+"]")
	if a := read(t, w); w.Code != 200 || a.Accepted != 2 || len(a.Rejected) != 1 || len(waited) != 2 || waited[0] == waited[1] {
		t.Errorf("status %d, waited for %v: %s", w.Code, waited, w.Body)
	}
	err = context.DeadlineExceeded
	if w := send(c, "POST", "/api/v1/pageviews?wait=applied", one); w.Code != 202 {
		t.Errorf("durable but not queryable in time: status %d, want 202", w.Code)
	}
	if w := send(newTest(q, nil), "POST", "/api/v1/pageviews?wait=applied", one); w.Code != 501 {
		t.Errorf("without a processor: status %d, want 501", w.Code)
	}
}

func TestPreflight(t *testing.T) {
	for path := range map[string]bool{"/api/v1/pageviews": true, "/api/event": true} {
		w := send(newTest(&fakeQueue{}, nil), "OPTIONS", path, "", "Origin", "https://foo.com", "Access-Control-Request-Method", "POST")
		h := w.Header()
		if w.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") {
			t.Errorf("%s: status %d, %v", path, w.Code, h)
		}
		if w := send(newTest(&fakeQueue{}, nil), "PUT", path, one); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("PUT %s: status %d, want 405", path, w.Code)
		}
	}
}
