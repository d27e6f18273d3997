package dashboard

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// If there are more domains than the list holds, the list reports it. Typing finds the
// others on the server, and a name that has no pageviews is reported as such.
func TestDomainPicker(t *testing.T) {
	f := filled()
	for i := range 207 {
		f.views = append(f.views, pageview{"p", fmt.Sprintf("shop-%03d.example", i), "/", may17})
	}
	p := open(t, serve(t, f), may)
	p.shows("pageviews", "4,000")
	options := `[...document.querySelectorAll('#domains option')].map((o) => o.value).join()`
	p.until(`document.querySelectorAll('#domains option').length === 100`)
	p.until(`document.getElementById('domain-hint').textContent.startsWith('100 of 209 domains are listed')`)
	p.do(chromedp.Focus("#domain"))
	p.key("p-20")
	p.until(options + ` === 'shop-200.example,shop-201.example,shop-202.example,shop-203.example,shop-204.example,shop-205.example,shop-206.example'`)
	p.key(kb.Escape)
	p.until(`document.getElementById('domain').value === 'foo.com'`)
	p.do(chromedp.Focus("#domain"))
	p.key("shop-205.example")
	p.key(kb.Enter)
	p.until(`location.search.includes('domain=shop-205.example')`)
	p.shows("pageviews", "1")

	p.visit("?domain=no-such.example&range=all")
	p.settled()
	p.until(`document.getElementById('nothing-text').textContent.startsWith('No pageview of no-such.example was ever counted.') && document.getElementById('nothing-all').hidden`)
	p.until(`document.getElementById('announce').textContent.includes('no-such.example')`)
}

// "Show more" disappears when it is pressed, and the focus moves to the first page that
// it added. Names are decoded, and shown in full on a phone.
func TestPagesAreReadable(t *testing.T) {
	f := filled()
	const long = "/blog/caf%C3%A9/a-title-that-is-longer-than-any-phone-is-wide-and-goes-on-for-a-while-%E2%80%AEgpj.exe"
	for i := range 30 {
		f.views = append(f.views, pageview{"p", "foo.com", fmt.Sprintf("/rare/%02d", i), may17})
	}
	for range 5000 {
		f.views = append(f.views, pageview{"p", "foo.com", long, may17})
	}
	p := open(t, serve(t, f), may)
	p.settled()
	p.do(chromedp.Focus("#more"))
	p.key(kb.Enter)
	p.until(`document.activeElement.classList.contains('page') && [...document.querySelectorAll('a.page')].indexOf(document.activeElement) === 10`)
	p.until(`document.querySelector('a.page').textContent === '/blog/café/a-title-that-is-longer-than-any-phone-is-wide-and-goes-on-for-a-while-‹U+202E›gpj.exe'`)
	p.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
	p.until(`[...document.querySelectorAll('a.page')].every((a) => a.scrollWidth <= a.clientWidth && getComputedStyle(a).whiteSpace === 'normal')`)
}
