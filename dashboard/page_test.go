package dashboard

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"speedlayer/internal/browser"
)

// tab is a tab on the dashboard, with what tests need. Every wait is for
// a condition of the document; none is for time.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
}

// open starts a browser on the dashboard. Exceptions, and violations of the
// policy, fail the test when it ends.
func open(t *testing.T, s *httptest.Server, query string) *tab {
	t.Helper()
	p := &tab{t: t, ctx: browser.New(t), url: s.URL}
	p.listen()
	p.do(chromedp.EmulateViewport(1280, 900))
	p.visit(query)
	return p
}

func (p *tab) listen() {
	err := chromedp.Listen(p.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.t.Errorf("exception on the page: %s", (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
		case *log.EventEntryAdded:
			if e.Entry.Source == log.EntrySourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
				p.t.Errorf("refused by the policy: %s", e.Entry.Text)
			}
		case *runtime.EventConsoleAPICalled:
			p.t.Errorf("the page wrote to the console: %v", e.Type)
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) visit(query string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.url + "/" + query))
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// eval returns a number or text as text.
func (p *tab) eval(js string) string {
	p.t.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`String(`+js+`)`))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return s
}

// until waits for a condition of the document. It checks at each change of the
// page, and gives up after 20 s with the current text.
func (p *tab) until(js string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`new Promise((yes, no) => {
		const end = performance.now() + 20000;
		const look = () => {
			let ok = false;
			try { ok = !!(`+js+`); } catch {}
			if (ok) yes(true); else if (performance.now() > end) no(new Error('never true')); else setTimeout(look, 10);
		};
		look();
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("waiting for %s: %v\nthe page: %s", js, err, p.eval(`location.search + "\n" + document.body.innerText`))
	}
}

// settled waits until no request is in progress.
func (p *tab) settled() {
	p.t.Helper()
	p.until(`document.getElementById('main').getAttribute('aria-busy') === 'false'`)
}

func (p *tab) figure(metric string) string {
	p.t.Helper()
	return p.eval(`document.querySelector('[data-metric=` + metric + `] .tile-value').textContent`)
}

// shows waits until the tile of a metric shows the value.
func (p *tab) shows(metric, value string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector('[data-metric=%s] .tile-value').textContent === %q`, metric, value))
}

func (p *tab) key(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

func (p *tab) dark()  { p.t.Helper(); p.scheme("dark") }
func (p *tab) light() { p.t.Helper(); p.scheme("light") }

// scheme is the preferred colour scheme of the system.
func (p *tab) scheme(value string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mustLoad(t *testing.T) *bundle {
	t.Helper()
	b, err := load(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	may17   = time.Date(2015, 5, 17, 0, 0, 0, 0, time.UTC)
	may     = "?domain=foo.com&from=2015-05-17T00:00Z&to=2015-05-21T00:00Z"
	grouped = func(n int) string { // 12345 -> 12,345
		s := fmt.Sprint(n)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	}
)

// filled returns a fake with two domains: foo.com in May 2015, bar.org today.
func filled() *fake {
	f := &fake{views: someViews("foo.com", may17, 4, 4000)}
	now := time.Now()
	f.views = append(f.views,
		pageview{"alice", "bar.org", "/", now}, pageview{"alice", "bar.org", "/a", now}, pageview{"bob", "bar.org", "/", now})
	return f
}
