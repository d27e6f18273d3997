package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/collector"
	"speedlayer/collector/imports"
	"speedlayer/queue"
)

// logOf is a log of n lines, each with a query string of so many bytes.
func logOf(n, query int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `10.0.%d.%d - - [02/Nov/2026:10:00:00 +0000] "GET /p%d?q=%s HTTP/1.1" 200 5 "-" "x"`+"\n", i>>8, i&255, i%7, strings.Repeat("a", query))
	}
	return b.String()
}

// memory is a store's rows and a log that takes everything.
type memory struct {
	rows    map[string]string
	persons []string
	records []*kgo.Record
}

func (m *memory) Row(_ context.Context, name string) ([]byte, error) {
	if raw, ok := m.rows[name]; ok {
		return []byte(raw), nil
	}
	return nil, nil
}

func (m *memory) SwapRow(_ context.Context, name string, from, to []byte) (bool, error) {
	if have, ok := m.rows[name]; ok != (from != nil) || have != string(from) {
		return false, nil
	}
	if m.rows == nil {
		m.rows = map[string]string{}
	}
	m.rows[name] = string(to)
	return true, nil
}

func (m *memory) Extent(context.Context) (queue.TopicInfo, error) {
	return queue.TopicInfo{ID: "t", Partitions: 1, Starts: []int64{0}, Ends: []int64{int64(len(m.records))}}, nil
}

func (m *memory) ReadEverything(_ context.Context, _ int32, from, to int64, fn func(*kgo.Record) error) error {
	for _, r := range m.records[from:to] {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) AppendSync(_ context.Context, messages []queue.Message) ([]queue.Position, error) {
	at := make([]queue.Position, len(messages))
	for i, msg := range messages {
		at[i].Offset = int64(len(m.records))
		m.persons = append(m.persons, string(msg.Person))
		m.records = append(m.records, &kgo.Record{Key: bytes.Clone(msg.Person), Value: bytes.Clone(msg.Value)})
	}
	return at, nil
}

func (m *memory) Append(context.Context, []byte, []byte, func(queue.Position, error)) {
	panic("imports come in batches")
}

func (m *memory) ledger() *imports.Ledger {
	return imports.New(imports.Config{Rows: m, Log: m, Alone: true})
}

// importInto imports a log into a server whose clock the importer's pauses move on.
// importInto imports into a server, which takes one request at a time: behind a cut
// connection the next one arrives while the handler of the last one still ends.
func importInto(t *testing.T, h http.Handler, log string) (Report, error) {
	t.Helper()
	var one sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	return importFrom(t, &Server{URL: s.URL, Client: s.Client()}, log)
}

func importFrom(t *testing.T, sink Sink, log string) (Report, error) {
	now := time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)
	cfg := Config{Format: Combined, Host: "h.example", Sink: sink, Stdin: strings.NewReader(log), Now: func() time.Time { return now }}
	cfg.clock = func() time.Time { return now }
	cfg.pause = func(_ context.Context, d time.Duration) error {
		now = now.Add(d)
		return nil
	}
	return Import(t.Context(), cfg, "-")
}

func collectorOf(q *memory, l collector.Limits) http.Handler {
	c := collector.New(collector.Config{Queue: q, Limits: l, Imports: q.ledger(),
		Wait: func(context.Context, []queue.Position) error { return nil }})
	mux := http.NewServeMux()
	for path, methods := range c.Handlers() {
		mux.Handle(path, methods)
	}
	return mux
}

// Whatever a server takes at once, all lines come in, in their order.
func TestBatchesFitTheServer(t *testing.T) {
	log := logOf(2000, 1000)
	for name, l := range map[string]collector.Limits{
		"default": {}, "bytes": {BodyBytes: 50_000}, "one line": {BodyBytes: 2000}, "events": {BatchEvents: 7},
		"both": {BodyBytes: 300_000, BatchEvents: 300},
	} {
		q := &memory{}
		r, err := importInto(t, collectorOf(q, l), log)
		if err != nil || r.Pageviews != 2000 || len(r.Rejected) != 0 || len(q.persons) != 2000 {
			t.Errorf("%s: %+v, %v, %d in the queue", name, r, err, len(q.persons))
			continue
		}
		for i, p := range q.persons {
			if want := fmt.Sprintf("10.0.%d.%d", i>>8, i&255); p != want {
				t.Fatalf("%s: event %d is of %s, want %s", name, i, p, want)
			}
		}
	}
}

// A single line that is too large, for the rules or for one server, is rejected
// with its reason; the others count.
func TestOneLineTooLarge(t *testing.T) {
	agent := strings.Repeat("y", 70_000)
	long := `10.9.9.9 - - [02/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "` + agent + `"` + "\n"
	for name, c := range map[string]struct {
		line string
		l    collector.Limits
	}{
		"the rules": {line: long},
		"body":      {line: strings.Replace(long, agent, agent[:5000], 1), l: collector.Limits{BodyBytes: 4000}},
		"event":     {line: strings.Replace(long, agent, agent[:5000], 1), l: collector.Limits{EventBytes: 4000}},
	} {
		q := &memory{}
		r, err := importInto(t, collectorOf(q, c.l), logOf(20, 10)+c.line+logOf(20, 10))
		if err != nil || r.Pageviews != 40 || len(q.persons) != 40 || len(r.Rejected) != 1 || r.Rejected[0].Lines != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	// A server that takes nothing of a batch is believed line by line too.
	q := &memory{}
	r, err := importInto(t, collectorOf(q, collector.Limits{EventBytes: 10}), logOf(5, 10))
	if err != nil || r.Pageviews != 0 || len(r.Rejected) != 1 || r.Rejected[0].Lines != 5 {
		t.Errorf("all too large: %+v, %v", r, err)
	}
}

// What passes is waited for; what a server asks to wait is waited at least.
func TestServerThatComesBack(t *testing.T) {
	q := &memory{}
	inner := collectorOf(q, collector.Limits{BatchEvents: 10})
	n := 0
	r, err := importInto(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n++
		switch n % 6 {
		case 1:
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.WriteHeader(http.StatusTooManyRequests)
		case 3:
			panic(http.ErrAbortHandler) // the connection is cut
		case 4: // it has everything, and the answer is lost
			inner.ServeHTTP(httptest.NewRecorder(), req)
			panic(http.ErrAbortHandler)
		default:
			inner.ServeHTTP(w, req)
		}
	}), logOf(100, 10))
	if err != nil || r.Pageviews != 100 || len(q.persons) != 100 || r.Behind || r.Duplicates == 0 {
		t.Errorf("%+v, %v, %d in the queue", r, err, len(q.persons))
	}
}

// A server that stays away ends the import, at a time that the error names.
func TestServerThatStaysAway(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"503": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"429": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		if _, err := importInto(t, h, logOf(3, 1)); err == nil || !strings.Contains(err.Error(), "gave up after 2m0s") {
			t.Errorf("%s: %v", name, err)
		}
	}
	calls := 0
	_, err := importInto(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusUnauthorized)
	}), logOf(3, 1))
	if err == nil || !strings.Contains(err.Error(), "401") || calls != 1 {
		t.Errorf("%d calls of a server that wants a token: %v", calls, err)
	}
}

// limitedSink is a sink that takes up to so many messages at once.
type limitedSink struct {
	collect
	most int
}

func (r *limitedSink) Send(ctx context.Context, id string, b imports.Batch) (Taken, error) {
	if len(b.Messages) > r.most {
		return Taken{}, fmt.Errorf("%w: %d", ErrTooLarge, len(b.Messages))
	}
	return r.collect.Send(ctx, id, b)
}

// What was learned is kept: no batch is offered twice for ever.
func TestHalvingIsLearned(t *testing.T) {
	s := &limitedSink{most: 3}
	if r, err := importFrom(t, s, logOf(500, 1)); err != nil || r.Pageviews != 500 || len(s.messages) != 500 {
		t.Errorf("%+v, %v", r, err)
	}
	s.most = 0
	r, err := importFrom(t, s, logOf(5, 1))
	if err != nil || r.Pageviews != 0 || len(r.Rejected) == 0 {
		t.Errorf("a sink that takes nothing: %+v, %v", r, err)
	}
	if errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// Two sites whose logs begin with the same line, and have the same lines, share
// nothing; the spelling of the site does not matter.
func TestNoncesOfTwoSites(t *testing.T) {
	sent := map[string]string{}
	for _, host := range []string{"a.example", "b.example", "WWW.A.example:80"} {
		sink := &collect{}
		if _, err := Import(t.Context(), Config{Format: Combined, Host: host, Sink: sink, Stdin: strings.NewReader(logOf(2, 1))}, "-"); err != nil {
			t.Fatal(err)
		}
		for _, m := range sink.messages {
			var e struct{ Nonce string }
			if err := json.Unmarshal(m.Value, &e); err != nil {
				t.Fatal(err)
			}
			sent[host] += e.Nonce + " "
		}
	}
	if sent["a.example"] == sent["b.example"] || sent["a.example"] != sent["WWW.A.example:80"] {
		t.Errorf("nonces: %v", sent)
	}
}

// The directives that open a log in the W3C's format do not tell files apart.
func TestNoncesAfterDirectives(t *testing.T) {
	var nonces [2]string
	for i, first := range []string{"a", "b"} {
		line := `1.2.3.4 - - [02/Nov/2026:10:00:00 +0000] "GET /%s HTTP/1.1" 200 5 "-" "x"` + "\n"
		sink := &collect{}
		in := "#Version: 1.0\n#Fields: x\n" + fmt.Sprintf(line, first) + fmt.Sprintf(line, "same")
		if _, err := Import(t.Context(), Config{Format: Combined, Host: "a.example", Sink: sink, Stdin: strings.NewReader(in)}, "-"); err != nil || len(sink.messages) != 2 {
			t.Fatal(err, sink.messages)
		}
		nonces[i] = string(sink.messages[1].Value)
	}
	if nonces[0] == nonces[1] {
		t.Errorf("the same line of two files: %s", nonces[0])
	}
}
