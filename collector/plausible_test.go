package collector

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestEvent(t *testing.T) {
	const agent = "Mozilla/5.0 \"x\" \xff"
	for _, tc := range []struct {
		name, body, kind string
		status           int
		page             string // url on the queue; "" for none
	}{
		{"short names", `{"n":"pageview","u":"https://foo.com/a","d":"foo.com","r":null,"v":7,"p":{"x":1}}`, "text/plain", 202, "https://foo.com/a"},
		{"long names", `{"name":"pageview","url":"https://foo.com/a","domain":"foo.com","referrer":"https://bar.com/"}`, "application/json", 202, "https://foo.com/a"},
		{"short before long", `{"n":"pageview","u":"https://foo.com/a","name":"x","url":"y"}`, "", 202, "https://foo.com/a"},
		{"no domain", `{"n":"pageview","u":"https://foo.com/a"}`, "", 202, "https://foo.com/a"},
		{"other event", `{"n":"Signup","u":"https://foo.com/a","d":"foo.com"}`, "", 202, ""},
		{"engagement", `{"n":"engagement","u":"https://foo.com/a","d":"foo.com","sd":40,"e":1000}`, "text/plain", 202, ""},
		{"fields in a string", `{"n":"pageview","u":"https://foo.com/a\",\"person\":\"eve"}`, "", 202, `https://foo.com/a","person":"eve`},

		{"no name", `{"u":"https://foo.com/a"}`, "", 400, ""},
		{"name a number", `{"n":5,"u":"https://foo.com/a"}`, "", 400, ""},
		{"no url", `{"n":"pageview"}`, "", 400, ""},
		{"url a number", `{"n":"pageview","u":5}`, "", 400, ""},
		{"url an object", `{"n":"pageview","u":{"a":"b"}}`, "", 400, ""},
		{"url of an app", `{"n":"pageview","u":"app://localhost/login"}`, "", 400, ""},
		{"empty nonce", `{"n":"pageview","u":"https://foo.com/","nonce":""}`, "", 400, ""},
		{"bad UTF-8", "{\"n\":\"pageview\",\"u\":\"https://foo.com/\xff\"}", "", 400, ""},
		{"lone surrogate", `{"n":"pageview","u":"https://foo.com/\ud800"}`, "", 400, ""},
		{"no JSON", `{"n":`, "", 400, ""},
		{"array", `[]`, "", 400, ""},
		{"null", `null`, "", 400, ""},
		{"empty", ``, "", 400, ""},
		{"form", `n=pageview`, "application/x-www-form-urlencoded", 415, ""},
		{"lines", `{"n":"pageview","u":"https://foo.com/a"}`, "application/x-ndjson", 415, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := &fakeQueue{}
			headers := []string{"User-Agent", agent, "X-Forwarded-For", "203.0.113.9"}
			if tc.kind != "" {
				headers = append(headers, "Content-Type", tc.kind)
			}
			w := send(newTest(q, nil), "POST", "/api/event", tc.body, headers...)
			if w.Code != tc.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tc.status, w.Body)
			}
			if w.Code == 202 && w.Body.String() != "ok" {
				t.Errorf("body %q, want ok", w.Body)
			}
			if w.Code != 202 {
				if a := read(t, w); a.Field == "" && a.Detail == "" {
					t.Errorf("the problem says nothing: %s", w.Body)
				}
			}
			if tc.page == "" {
				if len(q.records) != 0 {
					t.Errorf("on the queue: %s", q.records[0].URL)
				}
				return
			}
			if len(q.records) != 1 {
				t.Fatalf("%d records on the queue", len(q.records))
			}
			pv := q.records[0]
			if string(pv.URL) != tc.page || string(pv.Person) != "192.0.2.1" || pv.TS != clock.UnixMilli() ||
				string(pv.UserAgent) != "Mozilla/5.0 \"x\" \ufffd" || len(pv.Nonce) != 32 {
				t.Errorf("on the queue: url %s, person %s, ts %d, agent %q, nonce %q", pv.URL, pv.Person, pv.TS, pv.UserAgent, pv.Nonce)
			}
		})
	}
}

// Our own script's nonce is kept.
func TestEventNonce(t *testing.T) {
	q := &fakeQueue{}
	c := newTest(q, nil)
	for range 2 {
		send(c, "POST", "/api/event", `{"n":"pageview","u":"https://foo.com/","nonce":"8a6e"}`)
	}
	if len(q.records) != 2 || string(q.records[0].Nonce) != "8a6e" || string(q.records[1].Nonce) != "8a6e" {
		t.Errorf("%+v", q.records)
	}
}

func TestClientAddr(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, tc := range []struct {
		peer, forwarded string // header lines are parted by |
		want            string
	}{
		{"203.0.113.7:5", "", "203.0.113.7"},
		{"203.0.113.7:5", "198.51.100.1", "203.0.113.7"}, // nobody trusts this peer
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "1.1.1.1, 198.51.100.1", "198.51.100.1"}, // the first is what the client wrote
		{"10.0.0.1:5", "1.1.1.1, 198.51.100.1 ,10.2.2.2", "198.51.100.1"},
		{"10.0.0.1:5", "1.1.1.1|198.51.100.1|10.2.2.2", "198.51.100.1"},
		{"10.0.0.1:5", "1.1.1.1, 198.51.100.1|10.2.2.2, 10.3.3.3", "198.51.100.1"},
		{"10.0.0.1:5", "10.9.9.9, 10.2.2.2", "10.9.9.9"}, // all trusted: the farthest
		{"10.0.0.1:5", "198.51.100.1, unknown, 10.2.2.2", "10.2.2.2"},
		{"10.0.0.1:5", "198.51.100.1, ", "10.0.0.1"},
		{"10.0.0.1:5", "198.51.100.1:4711", "198.51.100.1"},
		{"10.0.0.1:5", "[2001:DB9:0::1]:4711", "2001:db9::1"},
		{"10.0.0.1:5", "[2001:db9::1]", "2001:db9::1"},
		{"10.0.0.1:5", "2001:db9::1", "2001:db9::1"},
		{"10.0.0.1:5", "::ffff:198.51.100.1", "198.51.100.1"},
		{"[::ffff:10.0.0.1]:5", "198.51.100.1", "198.51.100.1"},
		{"[2001:db8::5]:5", "198.51.100.1", "198.51.100.1"},
		{"[fe80::1%eth0]:5", "198.51.100.1", "fe80::1"},
		{"@", "198.51.100.1", ""},
	} {
		r := httptest.NewRequest("POST", "/api/event", nil)
		r.RemoteAddr = tc.peer
		if tc.forwarded != "" {
			r.Header["X-Forwarded-For"] = strings.Split(tc.forwarded, "|")
		}
		got, ok := clientAddr(r, trusted)
		if ok != (tc.want != "") || ok && got.String() != tc.want {
			t.Errorf("peer %s, forwarded for %q: %v %v, want %s", tc.peer, tc.forwarded, got, ok, tc.want)
		}
	}
}
