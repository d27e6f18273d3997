package collector

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"speedlayer/collector/bots"
)

const (
	googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
	headless  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"
	firefox   = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
)

// Events of bots are dropped and counted by kind; what an API client calls
// itself says nothing about its visitors.
func TestBotsDropped(t *testing.T) {
	withAgent := func(agent string) string {
		return strings.Replace(one, "{", `{"user_agent":"`+agent+`",`, 1)
	}
	own, err := bots.Default().With(strings.NewReader("^AcmeMonitor/"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, query, body string
		keep              bool
		agent             string // header
		accepted          int
		bots              map[bots.Kind]int
	}{
		{"a visitor's", "", withAgent(firefox), false, "", 1, nil},
		{"no user agent in the event", "", one, false, "curl/8.5.0", 1, nil},
		{"an API client's own header", "", withAgent(firefox), false, googlebot, 1, nil},
		{"a bot's", "", withAgent(googlebot), false, "", 0, map[bots.Kind]int{"search-engine": 1}},
		{"a library that visited", "", withAgent("curl/8.5.0"), false, "", 0, map[bots.Kind]int{bots.Library: 1}},
		{"an operator's pattern", "", withAgent("AcmeMonitor/2"), false, "", 0, map[bots.Kind]int{bots.Pattern: 1}},
		{"some", "", "[" + withAgent(googlebot) + "," + one + "," + withAgent("kube-probe/1.27") + "," + withAgent("kube-probe/1.27") + "]", false, "", 1,
			map[bots.Kind]int{"search-engine": 1, "health-check": 2}},
		{"kept", "", withAgent(googlebot), true, "", 1, nil},
		{"kept by the request", "?bots=keep", withAgent(googlebot), false, "", 1, nil},
		{"dropped by the request", "?bots=drop", withAgent(googlebot), true, "", 0, map[bots.Kind]int{"search-engine": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			q := &fakeQueue{}
			c := newTest(q, func(cfg *Config) { cfg.DropBots, cfg.Bots, cfg.Registerer = !tc.keep, own, reg })
			w := send(c, "POST", "/api/v1/pageviews"+tc.query, tc.body, "User-Agent", tc.agent)
			var a struct {
				Accepted    int
				BotsDropped int `json:"bots_dropped"`
				Bots        map[bots.Kind]int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
				t.Fatal(err)
			}
			sum := 0
			for kind, n := range tc.bots {
				sum += n
				if got, _ := value(t, reg, "speedlayer_collector_bots_dropped_total", "kind="+string(kind)); got != float64(n) {
					t.Errorf("the metric has %v of %s, want %d", got, kind, n)
				}
			}
			if w.Code != 202 || a.Accepted != tc.accepted || len(q.records) != tc.accepted || a.BotsDropped != sum || !reflect.DeepEqual(a.Bots, tc.bots) {
				t.Errorf("status %d, %d records: %s", w.Code, len(q.records), w.Body)
			}
		})
	}
	c := newTest(&fakeQueue{}, func(cfg *Config) { cfg.DropBots = true })
	if w := post(c, "["+withAgent(googlebot)+",{}]"); w.Code != 202 || len(read(t, w).Rejected) != 1 {
		t.Errorf("a bot's and a broken one: status %d: %s", w.Code, w.Body)
	}
}

// The tracker's events have the visitor's header, unless a program sends them.
func TestBotsAtEvent(t *testing.T) {
	for agent, dropped := range map[string]string{
		firefox: "", "": "", googlebot: "1", headless: "1", "ELB-HealthChecker/2.0": "1",
		"curl/8.5.0": "", "python-requests/2.31.0": "", "Go-http-client/1.1": "", "node": "", "axios/1.6.0": "",
	} {
		q := &fakeQueue{}
		c := newTest(q, func(cfg *Config) { cfg.DropBots = true })
		w := send(c, "POST", "/api/event", `{"n":"pageview","u":"http://foo.com/"}`, "User-Agent", agent)
		if w.Code != 202 || w.Body.String() != "ok" || w.Header().Get("X-Plausible-Dropped") != dropped || (len(q.records) == 0) != (dropped != "") {
			t.Errorf("%q: status %d, dropped %q, %d records", agent, w.Code, w.Header().Get("X-Plausible-Dropped"), len(q.records))
		}
	}
}
