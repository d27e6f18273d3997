package collector

import (
	"bytes"
	"log/slog"
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

		{"routes by fragment", `{"n":"pageview","u":"https://foo.com/a?x=1#/b?y=2","h":1}`, "", 202, "https://foo.com/a%23/b"},
		{"a place in a page", `{"n":"pageview","u":"https://foo.com/a#b","h":1}`, "", 202, "https://foo.com/a#b"},
		{"no routes by fragment", `{"n":"pageview","u":"https://foo.com/a#/b","h":0}`, "", 202, "https://foo.com/a#/b"},

		{"age no number", `{"n":"pageview","u":"https://foo.com/","age":"1"}`, "", 400, ""},
		{"age below 0", `{"n":"pageview","u":"https://foo.com/","age":-1}`, "", 400, ""},
		{"age of a day", `{"n":"pageview","u":"https://foo.com/","age":86400000}`, "", 400, ""},
		{"route in a url that is a number", `{"n":"pageview","u":5,"h":1}`, "", 400, ""},
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

// What a tracker sends late counts when it was seen.
func TestEventAge(t *testing.T) {
	q := &fakeQueue{}
	send(newTest(q, nil), "POST", "/api/event", `{"n":"pageview","u":"https://foo.com/","age":90000}`)
	if len(q.records) != 1 || q.records[0].TS != clock.UnixMilli()-90_000 {
		t.Errorf("on the queue: %+v", q.records)
	}
}

// A proxy on a private address that is not trusted is told of once.
func TestProxyWarning(t *testing.T) {
	for _, tc := range []struct {
		peer, header string
		trusted      string
		warning      string
	}{
		{"127.0.0.1:5", "X-Forwarded-For", "", "--trusted-proxies"},
		{"172.17.0.1:5", "X-Real-IP", "", "--trusted-proxies"},
		{"10.0.0.3:5", "Forwarded", "192.168.0.0/16", "--trusted-proxies"},
		{"[fd00::1]:5", "CF-Connecting-IP", "", "--trusted-proxies"},
		{"[::ffff:192.168.1.2]:5", "X-Forwarded-For", "", "--trusted-proxies"},
		{"100.64.3.4:5", "X-Forwarded-For", "", "--trusted-proxies"},
		{"10.0.0.3:5", "X-Real-IP", "10.0.0.0/8", "names no client"},
		{"10.0.0.3:5", "X-Forwarded-For", "10.0.0.0/8", ""},
		{"203.0.113.5:5", "X-Forwarded-For", "", ""},
		{"10.0.0.3:5", "Accept", "", ""},
	} {
		var log bytes.Buffer
		c := newTest(&fakeQueue{}, func(cfg *Config) {
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			if tc.trusted != "" {
				cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(tc.trusted)}
			}
		})
		for range 3 {
			r := httptest.NewRequest("POST", "/api/event", strings.NewReader(`{"n":"pageview","u":"https://foo.com/"}`))
			r.RemoteAddr = tc.peer
			r.Header.Set(tc.header, "198.51.100.7")
			c.serveEvent(httptest.NewRecorder(), r)
		}
		lines := strings.Count(log.String(), "\n")
		if tc.warning == "" && lines != 0 || tc.warning != "" && (lines != 1 || !strings.Contains(log.String(), tc.warning)) {
			t.Errorf("%+v: the log has %q", tc, log.String())
		}
	}
}
