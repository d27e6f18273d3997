package dashboard

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// The modules without a document, in a real browser. Its time zone is New York, so that
// a local time taken for UTC is detected.
func TestModules(t *testing.T) {
	p := open(t, serve(t, &fake{}), "")
	at := func(s string) string { return fmt.Sprintf("Date.parse('%s')", s) }
	now := at("2026-03-08T06:30:10Z") // the night in which New York's clocks change
	span := func(state string) string {
		return `(({ from, to }) => writeHour(from) + ' ' + writeHour(to))(bounds(` + state + `, ` + now + `))`
	}
	for _, c := range []struct{ js, want string }{
		{span(`{range: '24h'}`), "2026-03-07T06:00Z 2026-03-08T07:00Z"},
		{span(`{range: 'today'}`), "2026-03-08T00:00Z 2026-03-08T07:00Z"},
		{span(`{range: '7d'}`), "2026-03-02T00:00Z 2026-03-08T07:00Z"},
		{span(`{range: '30d'}`), "2026-02-07T00:00Z 2026-03-08T07:00Z"},
		{span(`{range: 'all'}`), "1970-01-01T00:00Z 2026-03-09T07:00Z"},
		{span(`read('?from=2015-05-17T10:00Z&to=2015-05-17T11:00:00Z')`), "2015-05-17T10:00Z 2015-05-17T11:00Z"},

		{`parseHour('2015-05-17T10:30Z')`, "null"},
		{`parseHour('2015-05-17T10:00+02:00')`, "null"},
		{`parseHour('2015-13-17T10:00Z')`, "null"},
		{`parseHour('1969-12-31T23:00Z')`, "null"},
		{`parseHour(null)`, "null"},
		{`read('?from=2015-05-17T10:00Z&to=2015-05-17T10:00Z').range`, "null"}, // empty: as if not said
		{`read('?range=custom').range`, "null"},
		{`read('?range=ever&metric=x&by=week').metric`, "pageviews"},
		{`write(read('?domain=a.b:8080&page=a.b:8080/%25x%26y&range=7d&metric=visits&by=day&junk=1'))`, "/?domain=a.b:8080&page=a.b:8080/%25x%26y&range=7d&metric=visits&by=day"},
		{`write(read(''))`, "/"},

		{`narrow({from: 0, to: ` + now + `}, [{day: '2015-05-17', pageviews: 0}])`, "null"},
		{`(({ from, to }) => writeHour(from) + ' ' + writeHour(to))(narrow(bounds({range: 'all'}, ` + now + `), [{day: '2026-03-08', pageviews: 1}, {day: '2015-05-17', pageviews: 2}]))`, "2015-05-17T00:00Z 2026-03-09T00:00Z"},
		{`stepOf({by: null}, {from: 0, to: 8 * DAY})`, "hour"},
		{`stepOf({by: null}, {from: 0, to: 8 * DAY + HOUR})`, "day"},
		{`stepOf({by: 'hour'}, {from: 0, to: 400 * DAY})`, "day"},
		{`times({from: 30 * HOUR, to: 73 * HOUR}, 'day').map((t) => t / DAY).join()`, "1,2,3"},

		{`span({from: ` + at("2026-03-08T00:00Z") + `, to: ` + at("2026-03-09T00:00Z") + `})`, "8 Mar 2026, UTC"},
		{`page('foo.com/caf%C3%A9/%E6%97%A5%E6%9C%AC')`, "foo.com/café/日本"},
		{`page('/a%20b%2Fc%3Fd%2541%ff')`, "/a b%2Fc%3Fd%2541%ff"},
		{`page('/x%E2%80%AEgpj.exe%00%0A%C2%A0')`, "/x‹U+202E›gpj.exe‹U+0000›‹U+000A›‹U+00A0›"},
		{`error(0.0163) + error(0.00812)`, "± 1.6%± 0.81%"},
		{`[1, 59, 120, 7200, 864000].map(age).join()`, "a moment,59 s,2 min,2 h,10 days"},
		{`[9999, 10000, 1234567].map(shortCount).join(' ')`, "9,999 10K 1.2M"},
	} {
		got, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`Promise.all(['ranges', 'state', 'format'].map((m) => import('/assets/js/' + m + '.js')))
			.then((all) => { const { bounds, writeHour, parseHour, read, write, narrow, stepOf, times, DAY, HOUR, page, span, error, age, shortCount } = Object.assign({}, ...all); return String(`+c.js+`); })`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Errorf("%s: %v", c.js, err)
		} else if got != c.want {
			t.Errorf("%s is %s, not %s", c.js, got, c.want)
		}
	}
}
