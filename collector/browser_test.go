package collector

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"speedlayer/event"
	"speedlayer/internal/browser"
	"speedlayer/queue"
)

// sent is a queue that hands over what the browser sent, and fails the first
// attempts.
type sent struct {
	pageviews chan event.Pageview
	failures  chan error
}

func (s *sent) Append(_ context.Context, _, value []byte, done func(queue.Position, error)) {
	var d event.Decoder
	var pv event.Pageview
	if err := d.Decode(append([]byte(nil), value...), &pv); err != nil {
		panic(err)
	}
	// The answer is settled first: who takes the pageview may order failures for
	// the next.
	var err error
	select {
	case err = <-s.failures:
	default:
	}
	s.pageviews <- pv
	done(queue.Position{}, err)
}

func (s *sent) next(t *testing.T, ctx context.Context) event.Pageview {
	t.Helper()
	select {
	case pv := <-s.pageviews:
		return pv
	case <-ctx.Done():
		t.Fatal("the browser sent no pageview")
		panic("unreachable")
	}
}

func (s *sent) none(t *testing.T) {
	t.Helper()
	select {
	case pv := <-s.pageviews:
		t.Errorf("sent %s once too often", pv.URL)
	default:
	}
}

// site is pages of another origin than the collector's, by path.
func site(t *testing.T, pages map[string]string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, pages[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
}

// tab is a browser's tab, and the collector that it sends to. What the browser
// sends is taken off the queue in order, so nothing here waits for a while and
// hopes.
type tab struct {
	t      *testing.T
	ctx    context.Context
	q      *sent
	server string
	nonces map[string]bool
}

func newTab(t *testing.T) *tab {
	ctx := browser.New(t)
	q := &sent{make(chan event.Pageview, 100), make(chan error, 10)}
	return &tab{t, ctx, q, serve(t, q).URL, map[string]bool{}}
}

func (tab *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, steps...); err != nil {
		tab.t.Fatal(err)
	}
}

func (tab *tab) open(url string) { tab.t.Helper(); tab.do(chromedp.Navigate(url)) }

func (tab *tab) js(code string) string {
	tab.t.Helper()
	value, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string]("String("+code+")"))
	if err != nil {
		tab.t.Fatal(err)
	}
	return value
}

// expect takes the next pageview.
func (tab *tab) expect(url, referrer string) event.Pageview {
	tab.t.Helper()
	pv := tab.q.next(tab.t, tab.ctx)
	if string(pv.URL) != url || string(pv.Referrer) != referrer || string(pv.Person) != "127.0.0.1" || !strings.Contains(string(pv.UserAgent), "Mozilla") {
		tab.t.Errorf("sent url %q, referrer %q, person %q, agent %q; want url %q, referrer %q", pv.URL, pv.Referrer, pv.Person, pv.UserAgent, url, referrer)
	}
	if len(pv.Nonce) != 36 || tab.nonces[string(pv.Nonce)] {
		tab.t.Errorf("nonce %q is not a new one", pv.Nonce)
	}
	tab.nonces[string(pv.Nonce)] = true
	return pv
}

// page is a page with the tracker's tag. The tests' pages are on localhost.
func (tab *tab) page(attributes, body string) string {
	return `<!doctype html><script defer src="` + tab.server + `/js/script.js" data-allow-local ` + attributes + `></script><body>` + body
}

func TestTracker(t *testing.T) {
	tab := newTab(t)
	q := tab.q
	do, js, expect := tab.do, tab.js, tab.expect

	// The demo: a page, routes by links, back; a fragment is not a new page.
	demo := tab.server + "/demo/"
	tab.open(demo)
	expect(demo, "")
	do(chromedp.Click(chromedp.CSS(`nav a[href="/demo/about"]`)))
	expect(demo+"about", demo)
	js(`(location.hash = "#x")`)
	js(`history.replaceState(null, "", "/demo/about#y")`)
	do(chromedp.Click(chromedp.CSS(`nav a[href="/demo/contact"]`)))
	expect(demo+"contact", demo+"about")
	js(`history.back()`)
	expect(demo+"about#y", demo+"contact")
	js(`speedlayer({url: "https://foo.com/called"})`)
	expect("https://foo.com/called", demo+"about#y")
	q.none(t)

	// A failed attempt is made again, with the same nonce.
	q.failures <- queue.ErrUnavailable
	q.failures <- queue.ErrOverloaded
	js(`speedlayer({url: "https://foo.com/again"})`)
	first := expect("https://foo.com/again", "https://foo.com/called")
	for range 2 {
		if pv := q.next(t, tab.ctx); string(pv.Nonce) != string(first.Nonce) {
			t.Errorf("sent again with nonce %q, first with %q", pv.Nonce, first.Nonce)
		}
	}

	// From another origin, and a page that is not seen yet.
	origin := site(t, map[string]string{
		"/plain":  tab.page("", ""),
		"/api":    tab.page(`data-api="`+tab.server+`/api/event?from=test"`, ""),
		"/twice":  tab.page("", "") + tab.page("", ""),
		"/hidden": `<!doctype html><script>var state = "hidden"; Object.defineProperty(document, "visibilityState", {get: function () { return state }})</script>` + tab.page("", ""),
	})
	for _, path := range []string{"/plain", "/api", "/twice"} {
		tab.open(origin + path)
		expect(origin+path, "")
	}
	tab.open(origin + "/hidden")
	q.none(t)
	js(`(state = "visible", document.dispatchEvent(new Event("visibilitychange")))`)
	expect(origin+"/hidden", "")
	q.none(t)
}

// A view is a change of the page as the server defines pages: another query,
// another spelling, or a slash at the end is the same page.
func TestTrackerChangesOfPage(t *testing.T) {
	tab := newTab(t)
	pages := map[string]string{}
	for _, path := range []string{"/products", "/app", "/app/"} {
		pages[path] = tab.page("", "")
	}
	for _, path := range []string{"/hash", "/hash/"} {
		pages[path] = tab.page("data-hash", "")
	}
	origin := site(t, pages)
	tab.open(origin + "/products?utm_source=news#top")
	tab.expect(origin+"/products?utm_source=news#top", "")
	for _, same := range []string{"/products", "/products?q=t", "/products?q=te", "/products/", "/products///", "/%70roducts", "/./products", "/products#/x"} {
		tab.js(`history.replaceState(null, "", "` + same + `")`)
		tab.js(`history.pushState(null, "", "` + same + `")`)
	}
	tab.js(`history.pushState(null, "", "/products/a?q=1")`)
	tab.expect(origin+"/products/a?q=1", origin+"/products?utm_source=news#top")
	tab.js(`history.replaceState(null, "", "/products/b")`)
	tab.expect(origin+"/products/b", origin+"/products/a?q=1")
	tab.q.none(t)

	// Routes in the fragment, on a site that is configured so.
	tab.open(origin + "/hash#/")
	tab.expect(origin+"/hash", "")
	for _, same := range []string{"#place", "#", "#!", "#!/", "?q=1"} {
		tab.js(`history.pushState(null, "", "/hash` + same + `")`)
	}
	tab.js(`(location.hash = "#/route")`)
	tab.expect(origin+"/hash%23/route", origin+"/hash#/")
	tab.js(`history.replaceState(null, "", "/hash/?q=1#/route/?tab=2")`)
	tab.js(`(location.hash = "#!other")`)
	tab.expect(origin+"/hash%23!other", origin+"/hash?q=1#/route")
	tab.q.none(t)
}

// What else is in the page does not break the script, however it is loaded.
func TestTrackerBesideOthers(t *testing.T) {
	tab := newTab(t)
	script := tab.server + "/js/script.js"
	origin := site(t, map[string]string{
		"/module":    `<!doctype html><script type=module src="` + script + `" data-allow-local></script>`,
		"/id":        tab.page(`id=speedlayer`, ""),
		"/clobbered": `<!doctype html><body><img name=currentScript><img name=visibilityState><img name=referrer><img name=querySelectorAll><form name=addEventListener></form><embed name=prerendering><object id=speedlayer></object><a id=speedlayer></a>` + tab.page("", ""),
		"/injected":  `<!doctype html><script>var s = document.createElement("script"); s.src = "` + script + `"; s.setAttribute("data-allow-local", ""); document.head.append(s)</script>`,
	})
	for _, path := range []string{"/module", "/id", "/clobbered", "/injected"} {
		tab.open(origin + path)
		tab.expect(origin+path, "")
		if kind := tab.js(`typeof speedlayer`); kind != "function" {
			t.Errorf("%s: speedlayer is a %s", path, kind)
		}
	}
	tab.q.none(t)
}

// On localhost and from files the script is silent, and tells why, once.
func TestTrackerTellsWhyItIsSilent(t *testing.T) {
	tab := newTab(t)
	spy := `<!doctype html><script>var calls = 0, told = []; fetch = function () { calls++; return Promise.reject() }; console.warn = function (text) { told.push(text) }</script>`
	page := spy + `<script defer src="` + tab.server + `/js/script.js"></script>`
	origin := site(t, map[string]string{"/local": page})
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{origin + "/local", "file://" + file} {
		tab.open(url)
		tab.js(`speedlayer()`)
		if got := tab.js(`calls + " " + told.length + " " + /data-allow-local/.test(told[0])`); got != "0 1 true" {
			t.Errorf("%s: calls, warnings, and whether they name the attribute: %s", url, got)
		}
	}
}

// A pageview that could not be sent before the page was left goes with the next
// one, with its nonce and its age.
func TestTrackerKeepsWhatIsLost(t *testing.T) {
	tab := newTab(t)
	origin := site(t, map[string]string{
		"/lost": `<!doctype html><script>setTimeout = function () {}</script>` + tab.page("", ""),
		"/next": tab.page("", ""),
		// Here retries follow each other at once, and nothing is answered.
		"/outage": `<!doctype html><script>var real = fetch; setTimeout = function (f) { f() }; fetch = function () { return Promise.reject() }</script>` + tab.page("", ""),
	})
	tab.q.failures <- queue.ErrUnavailable
	tab.open(origin + "/lost")
	lost := tab.expect(origin+"/lost", "")
	tab.open(origin + "/next")
	got := map[string]event.Pageview{}
	for range 2 {
		pv := tab.q.next(t, tab.ctx)
		got[string(pv.URL)] = pv
	}
	again, next := got[origin+"/lost"], got[origin+"/next"]
	if string(again.Nonce) != string(lost.Nonce) || next.URL == nil {
		t.Fatalf("sent %q, want the lost one with nonce %s, and the next", slices.Collect(maps.Keys(got)), lost.Nonce)
	}
	if again.TS > clock.UnixMilli() {
		t.Errorf("its time is %d, the collector's clock %d", again.TS, clock.UnixMilli())
	}
	const stored = `Object.keys(localStorage).filter(k => k.startsWith("speedlayer:")).length`
	tab.settle(stored, "0")

	// An outage: what fails is stored, up to a bound, and goes with the next.
	tab.open(origin + "/outage")
	tab.settle(stored, "1")
	tab.js(`Array.from({length: 30}, (_, i) => speedlayer({url: "https://foo.com/" + i}))`)
	tab.settle(stored, "20")
	tab.js(`Object.keys(localStorage).slice(0, 19).forEach(k => localStorage.removeItem(k))`)
	tab.js(`localStorage.setItem("speedlayer:old", JSON.stringify({begun: Date.now() - 3600000, fields: {n: "pageview", u: "https://foo.com/old", nonce: "old"}}))`)
	tab.js(`localStorage.setItem("speedlayer:broken", "{")`)
	tab.q.none(t)
	tab.js(`(fetch = real, speedlayer({url: "https://foo.com/after"}))`)
	for range 2 {
		if pv := tab.q.next(t, tab.ctx); string(pv.Nonce) == "old" {
			t.Error("a view was sent that the server may have forgotten")
		}
	}
	tab.settle(stored, "0")
	tab.q.none(t)
}

// settle waits until an expression has a value: the browser goes on by itself.
func (tab *tab) settle(code, want string) {
	tab.t.Helper()
	wait := `new Promise(done => { (function look() { if (String(` + code + `) === "` + want + `") done("yes"); else requestAnimationFrame(look) })() })`
	if _, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string](wait, chromedp.EvalAwaitPromise)); err != nil {
		tab.t.Fatalf("%s is %s, want %s: %v", code, tab.js(code), want, err)
	}
}
