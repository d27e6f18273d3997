package collector

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"speedlayer/event"
)

// Whatever the body: no panic, no 5xx, and of a body that was understood every
// event is either on the queue or rejected, once. What encoding/json takes for
// an array, and only that, is one.
func FuzzPageviews(f *testing.F) {
	for _, body := range []string{one, "[" + one + "]", one + "\n{\n" + one, "[]", "[1,\"]\",{}]", "[{\"a\":\"\\\\\"},{}]", "", "\x00", "[[[", "{\"ts\":null}",
		`[{"person":"a","url":"http://b.c/"} ,{"person":"a","url":"http://b.c/","ts":1000000000000}]`} {
		f.Add(body, false)
		f.Add(body, true)
	}
	f.Fuzz(func(t *testing.T, body string, lines bool) {
		q := &fakeQueue{}
		c := newTest(q, func(cfg *Config) { cfg.Limits = Limits{BodyBytes: 1 << 20, EventBytes: 1 << 10, BatchEvents: 50} })
		kind := "application/json"
		if lines {
			kind = "application/x-ndjson"
		}
		w := post(c, body, "Content-Type", kind)
		q.wg.Wait()
		if w.Code >= 500 || w.Code != 202 && w.Code < 400 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		a := read(t, w)
		if a.Accepted != len(q.records) {
			t.Fatalf("%d accepted, %d on the queue", a.Accepted, len(q.records))
		}
		if w.Code == 413 {
			return
		}
		events, ok := count(body, lines)
		if got := a.Accepted + len(a.Rejected); ok && got != events || !ok && got != 0 {
			t.Fatalf("%d accepted and %d rejected of %d events (understood: %v), status %d", a.Accepted, len(a.Rejected), events, ok, w.Code)
		}
		for i := 1; i < len(a.Rejected); i++ {
			if a.Rejected[i].Index <= a.Rejected[i-1].Index {
				t.Fatalf("indexes of the rejected do not ascend: %v", a.Rejected)
			}
		}
	})
}

// count reports how many events a body has, by other means than the collector.
func count(body string, lines bool) (n int, understood bool) {
	if lines {
		for line := range strings.SplitSeq(body, "\n") {
			if strings.Trim(line, " \t\r") != "" {
				n++
			}
		}
		return n, n > 0
	}
	body = strings.Trim(body, " \t\r\n")
	var array []json.RawMessage
	if strings.HasPrefix(body, "[") {
		err := json.Unmarshal([]byte(body), &array)
		return len(array), err == nil
	}
	return 1, strings.HasPrefix(body, "{") // broken or not, it is rejected as one event
}

func FuzzEvent(f *testing.F) {
	f.Add(`{"n":"pageview","u":"https://foo.com/a","d":"foo.com"}`, "agent")
	f.Add(`{"n":"x"}`, "")
	f.Add(`{"n":"pageview","u":"http://a.b/","nonce":"\u0000"}`, "\"\xff\\")
	f.Fuzz(func(t *testing.T, body, agent string) {
		q := &fakeQueue{}
		r := httptest.NewRequest("POST", "/api/event", strings.NewReader(body))
		r.Header.Set("User-Agent", agent)
		w := httptest.NewRecorder()
		newTest(q, nil).serveEvent(w, r)
		q.wg.Wait()
		if w.Code >= 500 || w.Code != 202 && w.Code < 400 || len(q.records) > 1 || len(q.records) == 1 && w.Code != 202 {
			t.Fatalf("status %d, %d records: %s", w.Code, len(q.records), w.Body)
		}
		for _, pv := range q.records {
			if string(pv.Person) != "192.0.2.1" {
				t.Fatalf("the body made the person %q", pv.Person)
			}
			if _, err := event.AppendPage(nil, pv.URL); err != nil {
				t.Fatal(err)
			}
		}
	})
}
