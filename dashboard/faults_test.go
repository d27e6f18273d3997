package dashboard

import (
	"testing"
	"time"
)

func TestLoadingThenThere(t *testing.T) {
	f := filled()
	f.hold = make(chan struct{})
	p := open(t, serve(t, f), may)
	p.until(`document.getElementById('main').getAttribute('aria-busy') === 'true' && document.getElementById('numbers').classList.contains('loading')`)
	f.change(func() { close(f.hold); f.hold = nil })
	p.shows("pageviews", "4,000")
	p.until(`!document.getElementById('numbers').classList.contains('loading')`)
}

// When the server fails, the last numbers stay, pale, with a note. When it is
// back, the numbers return without user action.
func TestServerAwayAndBack(t *testing.T) {
	f := filled()
	s := serve(t, f)
	p := open(t, s, "?domain=bar.org&range=24h")
	p.shows("pageviews", "3")
	p.until(`document.getElementById('link').dataset.state === 'live'`)

	f.change(func() { f.down = true })
	p.until(`document.getElementById('link').dataset.state === 'lost'`)
	p.until(`document.getElementById('announce').textContent.includes('Connection lost')`)
	p.click(`[data-metric="visits"]`) // asks, and is refused
	p.until(`document.getElementById('notice').textContent === 'Service Unavailable: the store cannot be reached. Trying again.' && !document.getElementById('notice').hidden`)
	p.until(`document.getElementById('numbers').classList.contains('stale')`)
	if got := p.figure("pageviews"); got != "3" {
		t.Errorf("the last number is gone: %s", got)
	}

	f.change(func() {
		f.down = false
		f.views = append(f.views, pageview{"dave", "bar.org", "/", time.Now()})
	})
	p.shows("pageviews", "4")
	p.until(`document.getElementById('notice').hidden && document.getElementById('link').dataset.state === 'live'`)
}

func TestServerGone(t *testing.T) {
	s := serve(t, filled())
	p := open(t, s, may)
	p.shows("pageviews", "4,000")
	s.CloseClientConnections()
	s.Listener.Close()
	p.until(`document.getElementById('link').dataset.state === 'lost'`)
	p.click(`[data-metric="visits"]`)
	p.until(`document.getElementById('notice').textContent === 'The server cannot be reached. Trying again.'`)
}

// A request that the server refuses as wrong is reported once. Repeating it would not
// help.
func TestARejectedQuestion(t *testing.T) {
	p := open(t, serve(t, filled()), "?domain=foo!bar&range=24h")
	p.until(`document.getElementById('notice').textContent === 'Bad Request: not a domain.'`)
}

// Markup in a url stays text.
func TestNothingBecomesMarkup(t *testing.T) {
	f := filled()
	f.views = append(f.views, pageview{"<b>", "bar.org", `/<img src=x onerror=alert(1)>`, time.Now()})
	p := open(t, serve(t, f), "?domain=bar.org&range=24h")
	p.until(`document.getElementById('pages').textContent.includes('/<img src=x onerror=alert(1)>')`)
	if p.eval(`document.querySelectorAll('main img').length`) != "0" {
		t.Error("it did")
	}
}
