package dashboard

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask gets an answer of the API in the same way as the page.
func ask(t *testing.T, p *tab, call string, params url.Values) map[string]any {
	t.Helper()
	var a map[string]any
	body := p.eval(fmt.Sprintf(`(() => { const r = new XMLHttpRequest(); r.open('GET', %q, false); r.send(); return r.responseText; })()`, "/api/v1/"+call+"?"+params.Encode()))
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%s: %v: %s", call, err, body)
	}
	return a
}

// checkFigures compares every number on the page with the answer of the API.
func checkFigures(t *testing.T, p *tab, domain, from, to string) {
	t.Helper()
	span := url.Values{"from": {from}, "to": {to}}
	with := func(name, value string, more ...string) url.Values {
		v := url.Values{name: {value}}
		for k := range span {
			v.Set(k, span.Get(k))
		}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	number := func(v any) string { return grouped(int(v.(float64))) }
	views := ask(t, p, "pageviews", with("url", domain, "by", "hour"))
	bounces := ask(t, p, "bounce-rate", with("domain", domain))
	want := map[string]string{
		"pageviews":   number(views["pageviews"]),
		"visitors":    number(ask(t, p, "uniques", with("url", domain))["visitors"]),
		"visits":      number(bounces["visits"]),
		"bounce_rate": fmt.Sprintf("%.1f%%", 100*bounces["bounce_rate"].(float64)),
	}
	for metric, value := range want {
		if got := p.figure(metric); got != value {
			t.Errorf("%s: the page says %s, the API %s", metric, got, value)
		}
	}

	pages := ask(t, p, "top", with("domain", domain, "limit", "10"))["pages"].([]any)
	var rows []string
	for _, row := range pages {
		m := row.(map[string]any)
		path := strings.TrimPrefix(m["url"].(string), domain)
		rows = append(rows, path+" "+number(m["visitors"])+" "+number(m["pageviews"]))
	}
	if got := p.eval(`[...document.querySelectorAll('#pages tr')].map((r) => [...r.children].map((c) => c.textContent).join(' ')).join('\n')`); got != strings.Join(rows, "\n") {
		t.Errorf("top pages: the page says\n%s\nthe API\n%s", got, strings.Join(rows, "\n"))
	}

	// The table for the chart has every hour of the range, including those that
	// the answer leaves out.
	p.click("#as-table")
	hours := map[string]string{}
	for _, h := range views["hours"].([]any) {
		m := h.(map[string]any)
		hours[m["hour"].(string)] = number(m["pageviews"])
	}
	start, _ := time.Parse(time.RFC3339, from)
	end, _ := time.Parse(time.RFC3339, to)
	var cells []string
	for at := start; at.Before(end); at = at.Add(time.Hour) {
		n := hours[at.Format("2006-01-02T15:04:05Z")]
		if n == "" {
			n = "0"
		}
		cells = append(cells, at.Format("2 Jan 2006, 15:04")+" "+n)
	}
	if got := p.eval(`[...document.querySelectorAll('#chart-table tbody tr')].map((r) => r.children[0].textContent + ' ' + r.children[1].textContent).join('\n')`); got != strings.Join(cells, "\n") {
		t.Errorf("hours: the page says\n%s\nthe API\n%s", got, strings.Join(cells, "\n"))
	}
	p.click("#as-table")
}

func TestNumbersEqualTheAPI(t *testing.T) {
	// The first day has nothing: hours that the answer leaves out.
	p := open(t, serve(t, filled()), "?domain=foo.com&from=2015-05-16T00:00Z&to=2015-05-21T00:00Z")
	p.settled()
	p.shows("pageviews", "4,000")
	checkFigures(t, p, "foo.com", "2015-05-16T00:00:00Z", "2015-05-21T00:00:00Z")
	if got := p.eval(`document.getElementById('answer').textContent`); !strings.Contains(got, "4,003 events") || !strings.Contains(got, "all figures exact") || !strings.Contains(got, "from the speed layer") {
		t.Errorf("what the answer covers: %s", got)
	}
	if got := p.eval(`document.querySelectorAll('#chart canvas').length`); got != "1" {
		t.Errorf("%s charts", got)
	}
}

func TestAnEstimateSaysSo(t *testing.T) {
	f := filled()
	f.estimate = 0.0163
	p := open(t, serve(t, f), may)
	p.settled()
	note := p.eval(`document.querySelector('[data-metric=visitors] .tile-note').textContent`)
	answer := p.eval(`document.getElementById('answer').textContent`)
	if note != "estimated, ± 1.6%" || !strings.Contains(answer, "visitors ± 1.6%") {
		t.Errorf("note %q, answer %q", note, answer)
	}
}

func TestNewPageviewShowsUpWithoutReload(t *testing.T) {
	f := filled()
	p := open(t, serve(t, f), "?domain=bar.org&range=24h")
	p.shows("pageviews", "3")
	p.eval(`globalThis.sameDocument = true`)
	f.add(pageview{"carol", "bar.org", "/new", time.Now()})
	p.shows("pageviews", "4")
	p.shows("visitors", "3")
	p.until(`document.getElementById('pages').textContent.includes('/new')`)
	if p.eval(`globalThis.sameDocument`) != "true" {
		t.Error("the page was loaded again")
	}

	p.until(`document.getElementById('now').hidden`)
	n := 2
	f.change(func() { f.current = &n })
	p.until(`document.getElementById('now').textContent === '2 current visitors'`)
	n = 1
	f.change(func() {})
	p.until(`document.getElementById('now').textContent === '1 current visitor'`)
}

// The first pageview ever replaces the instructions.
func TestEmptyUntilTheFirstPageview(t *testing.T) {
	f := &fake{}
	s := serve(t, f)
	p := open(t, s, "")
	p.until(`!document.getElementById('empty').hidden`)
	for id, want := range map[string]string{"snippet-page": s.URL + "/js/script.js", "snippet-shell": s.URL + "/api/v1/pageviews"} {
		if got := p.eval(`document.getElementById('` + id + `').textContent`); !strings.Contains(got, want) {
			t.Errorf("%s: %s", id, got)
		}
	}
	f.add(pageview{"alice", "new.example", "/", time.Now()})
	p.shows("pageviews", "1")
	p.until(`document.getElementById('empty').hidden && document.getElementById('domain').value === 'new.example'`)
}

func TestARangeWithoutPageviews(t *testing.T) {
	p := open(t, serve(t, filled()), "?domain=foo.com&range=today")
	p.shows("pageviews", "0")
	p.shows("bounce_rate", "–")
	p.until(`!document.getElementById('nothing').hidden && document.getElementById('chart').hidden`)
	p.click("#nothing-all")
	p.shows("pageviews", "4,000")
	p.until(`location.search.includes('range=all') && !document.getElementById('chart').hidden`)
}

// Without a range in the address, the page shows all time for a domain that had
// nothing since yesterday.
func TestTheRangeIsChosen(t *testing.T) {
	p := open(t, serve(t, filled()), "")
	p.shows("pageviews", "4,000")
	if got := p.eval(`location.search`); got != "?domain=foo.com&range=all" {
		t.Errorf("address %s", got)
	}
	p.visit("?domain=bar.org")
	p.shows("pageviews", "3")
	if got := p.eval(`location.search`); got != "?domain=bar.org&range=24h" {
		t.Errorf("address %s", got)
	}
}
