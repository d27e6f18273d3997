package collector

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// The tracker and its demo in a real browser. What the browser sends is taken
// off the queue in order, so nothing here waits for a while and hopes.
func TestTracker(t *testing.T) {
	ctx := browser.New(t)
	q := &sent{make(chan event.Pageview, 100), make(chan error, 10)}
	s := serve(t, q)
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatal(err)
		}
	}
	js := func(code string) string {
		t.Helper()
		value, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String("+code+")"))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	nonces := map[string]bool{}
	expect := func(url, referrer string) event.Pageview {
		t.Helper()
		pv := q.next(t, ctx)
		if string(pv.URL) != url || string(pv.Referrer) != referrer || string(pv.Person) != "127.0.0.1" || !strings.Contains(string(pv.UserAgent), "Mozilla") {
			t.Errorf("sent url %q, referrer %q, person %q, agent %q; want url %q, referrer %q", pv.URL, pv.Referrer, pv.Person, pv.UserAgent, url, referrer)
		}
		if len(pv.Nonce) != 36 || nonces[string(pv.Nonce)] {
			t.Errorf("nonce %q is no new one", pv.Nonce)
		}
		nonces[string(pv.Nonce)] = true
		return pv
	}

	// The demo: a page, routes by links, back; a fragment is no new page.
	demo := s.URL + "/demo/"
	do(chromedp.Navigate(demo))
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
		if pv := q.next(t, ctx); string(pv.Nonce) != string(first.Nonce) {
			t.Errorf("sent again with nonce %q, first with %q", pv.Nonce, first.Nonce)
		}
	}

	// From another origin, a page that is not seen yet, routes in the fragment,
	// and localhost without leave.
	script := s.URL + "/js/script.js"
	origin := site(t, map[string]string{
		"/plain":  `<!doctype html><script defer src="` + script + `" data-allow-local></script>`,
		"/hash":   `<!doctype html><script defer src="` + script + `" data-allow-local data-hash></script>`,
		"/api":    `<!doctype html><script defer src="` + script + `" data-allow-local data-api="` + s.URL + `/api/event?from=test"></script>`,
		"/twice":  `<!doctype html><script defer src="` + script + `" data-allow-local></script><script defer src="` + script + `" data-allow-local></script>`,
		"/local":  `<!doctype html><script>var calls = 0; fetch = function () { calls++; return Promise.reject() }</script><script defer src="` + script + `"></script>`,
		"/hidden": `<!doctype html><script>var state = "hidden"; Object.defineProperty(document, "visibilityState", {get: function () { return state }})</script><script defer src="` + script + `" data-allow-local></script>`,
	})
	do(chromedp.Navigate(origin + "/plain"))
	expect(origin+"/plain", "")
	do(chromedp.Navigate(origin + "/hash"))
	expect(origin+"/hash", "")
	js(`(location.hash = "#/route")`)
	expect(origin+"/hash#/route", origin+"/hash")
	do(chromedp.Navigate(origin + "/api"))
	expect(origin+"/api", "")
	do(chromedp.Navigate(origin + "/twice"))
	expect(origin+"/twice", "")
	do(chromedp.Navigate(origin + "/local"))
	js(`speedlayer()`)
	if calls := js(`calls`); calls != "0" {
		t.Errorf("localhost without data-allow-local: %s calls", calls)
	}
	do(chromedp.Navigate(origin + "/hidden"))
	q.none(t)
	js(`(state = "visible", document.dispatchEvent(new Event("visibilitychange")))`)
	expect(origin+"/hidden", "")
	q.none(t)
}
