package dashboard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Everything by keyboard: to the picker, another domain, another range, a page,
// the chart, and back through the browser's history.
func TestKeyboard(t *testing.T) {
	p := open(t, serve(t, filled()), may)
	p.shows("pageviews", "4,000")
	focus := func(want string) {
		t.Helper()
		for range 40 {
			p.key(kb.Tab)
			if p.eval(`document.activeElement.matches('`+want+`')`) == "true" {
				if p.eval(`getComputedStyle(document.activeElement).outlineStyle`) == "none" && !strings.Contains(want, "input") {
					t.Errorf("%s has focus, but one does not see it", want)
				}
				return
			}
		}
		t.Fatalf("Tab does not reach %s; focus is on %s", want, p.eval(`document.activeElement.outerHTML`))
	}
	focus(".skip")
	focus("#domain")
	p.key("bar.org")
	p.key(kb.Enter)
	p.until(`location.search.includes('domain=bar.org')`)
	p.shows("pageviews", "0")

	focus("input[name=range]")
	p.key(kb.ArrowLeft) // from custom to all
	p.shows("pageviews", "3")
	p.until(`location.search === '?domain=bar.org&range=all'`)

	focus(".tile[data-metric=visits]")
	p.key(kb.Enter)
	p.until(`location.search.includes('metric=visits') && document.getElementById('chart-title').textContent === 'Visits by hour'`)

	p.visit(may)
	p.shows("pageviews", "4,000")
	focus("#chart")
	p.until(`!document.querySelector('.tip').hidden`)
	p.key(kb.Home)
	p.until(`document.getElementById('chart').getAttribute('aria-valuetext').startsWith('Sun 17 May, 00:00 UTC: ')`)
	p.key(kb.ArrowRight)
	p.until(`document.getElementById('chart').getAttribute('aria-valuetext').startsWith('Sun 17 May, 01:00 UTC: ')`)
	p.key(kb.End)
	p.until(`document.getElementById('chart').getAttribute('aria-valuetext').startsWith('Wed 20 May, 23:00 UTC: ')`)

	focus("a.page")
	p.key(kb.Enter)
	p.until(`!document.getElementById('chip').hidden && location.search.includes('page=foo.com/')`)
	p.until(`document.querySelector('[data-metric=visits] .tile-note').textContent === 'whole domain'`)
	p.do(chromedp.NavigateBack())
	p.until(`document.getElementById('chip').hidden && !location.search.includes('page=')`)
	p.shows("pageviews", "4,000")
}

func TestCustomRange(t *testing.T) {
	p := open(t, serve(t, filled()), "?domain=foo.com&range=all")
	p.shows("pageviews", "4,000")
	p.click(`[value="custom"]`)
	p.until(`!document.getElementById('custom').hidden`)
	set := func(id, value string) {
		p.eval(`(document.getElementById('` + id + `').value = '` + value + `')`)
	}
	set("from-day", "2015-05-19")
	set("to-day", "2015-05-18")
	p.click("#custom .button")
	p.until(`document.getElementById('custom-error').textContent === 'The end must be after the beginning.' && document.activeElement.id === 'to-day'`)
	set("from-day", "2015-05-18")
	set("from-hour", "10")
	set("to-hour", "14")
	p.click("#custom .button")
	p.until(`location.search === '?domain=foo.com&from=2015-05-18T10:00Z&to=2015-05-18T14:00Z'`)
	p.settled()
	p.until(`document.getElementById('span').textContent === '18 May 2015, 10:00 – 14:00 UTC'`)
	checkFigures(t, p, "foo.com", "2015-05-18T10:00:00Z", "2015-05-18T14:00:00Z")
	p.do(chromedp.NavigateBack())
	p.shows("pageviews", "4,000")
	p.until(`document.querySelector('[value=all]').checked`)
}

// Dragging over the chart selects that range.
func TestDragOverTheChart(t *testing.T) {
	p := open(t, serve(t, filled()), may)
	p.shows("pageviews", "4,000")
	p.until(`document.querySelector('#chart .u-over')`)
	at := func(share float64) (x, y float64) {
		box := p.eval(`(() => { const b = document.querySelector('#chart .u-over').getBoundingClientRect(); return [b.left, b.width, b.top] })()`)
		var left, width, top float64
		if _, err := fmt.Sscanf(box, "%f,%f,%f", &left, &width, &top); err != nil {
			t.Fatal(err, box)
		}
		return left + share*width, top + 50
	}
	for _, step := range []struct {
		kind  input.DispatchMouseEventType
		share float64
	}{{"mouseMoved", 0.3}, {"mousePressed", 0.3}, {"mouseMoved", 0.5}, {"mouseMoved", 0.6}, {"mouseReleased", 0.6}} {
		x, y := at(step.share)
		p.do(chromedp.MouseEvent(step.kind, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	}
	p.until(`location.search.includes('from=2015-05-18T0') && location.search.includes('to=2015-05-19T')`)
}

func TestThemeIsRemembered(t *testing.T) {
	p := open(t, serve(t, filled()), may)
	theme := `document.documentElement.dataset.theme`
	p.until(theme + ` === 'light'`)
	p.dark()
	p.until(theme + ` === 'dark'`) // the system's scheme, while the reader has not chosen one
	p.click("#theme")
	p.until(theme + ` === 'light' && document.getElementById('theme').getAttribute('aria-pressed') === 'false'`)
	p.do(chromedp.Reload())
	p.shows("pageviews", "4,000")
	if p.eval(theme) != "light" {
		t.Error("the choice was forgotten")
	}
}

func TestNoHorizontalScroll(t *testing.T) {
	f := filled()
	f.views = append(f.views, pageview{"p", "a-rather-long-subdomain-of-some-company.with-a-long-name.example.com", "/", may17})
	p := open(t, serve(t, f), may)
	for _, width := range []int64{320, 375, 414, 720, 1024} {
		p.do(chromedp.EmulateViewport(width, 800, chromedp.EmulateMobile))
		for _, query := range []string{may, may + "&page=foo.com/blog/a-rather-long-title-that-does-not-fit-on-a-phone-without-being-cut-off",
			"?domain=a-rather-long-subdomain-of-some-company.with-a-long-name.example.com&range=all"} {
			p.visit(query)
			p.settled()
			p.click(`[value="custom"]`)
			if cut := p.eval(`[...document.querySelectorAll('td, th, a, button, input, select, .tile *')].filter((e) => e.getBoundingClientRect().right > innerWidth && !e.closest('.vh')).map((e) => e.outerHTML.slice(0, 80)).join('\n')`); cut != "" {
				t.Errorf("at %d, %s: cut off are: %s", width, query, cut)
			}
			if wide := p.eval(`document.documentElement.scrollWidth`); wide != p.eval(`document.documentElement.clientWidth`) || p.eval(`innerWidth`) != p.eval(`document.documentElement.clientWidth`) {
				t.Errorf("at %d, %s: the page is %s wide; too wide are: %s", width, query, wide,
					p.eval(`[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.vh')).map((e) => e.outerHTML.slice(0, 80)).join('\n')`))
			}
		}
	}
}

// Every control has a name, there are landmarks, and heading levels have no gaps.
func TestAccessibilityTree(t *testing.T) {
	p := open(t, serve(t, filled()), may)
	p.shows("pageviews", "4,000")
	p.click(`[value="custom"]`)
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"button": true, "link": true, "combobox": true, "radio": true, "slider": true, "table": true, "group": true,
		"radiogroup": true, "textbox": true, "Date": true, "spinbutton": true, "navigation": true, "region": true, "heading": true}
	seen := map[string]int{}
	names := map[string]bool{}
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role, name := text(n.Role), text(n.Name)
		seen[role]++
		names[role+": "+name] = true
		if named[role] && name == "" && role != "table" {
			t.Errorf("a %s has no name (node %s)", role, n.NodeID)
		}
	}
	for _, role := range []string{"banner", "navigation", "main", "contentinfo", "slider", "status", "table", "heading", "combobox", "radio"} {
		if seen[role] == 0 {
			t.Errorf("no %s: %v", role, seen)
		}
	}
	for _, want := range []string{"combobox: Domain", "radio: Last 24 hours", "radio: 7 days", "slider: Pageviews by hour", "button: Dark theme",
		"button: Show as table", "heading: Top pages", "heading: foo.com, 17 May 2015 – 20 May 2015, UTC", "combobox: From, hour of UTC", "Date: From"} {
		if !names[want] {
			t.Errorf("no %q in the tree", want)
		}
	}
}

func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	_ = json.Unmarshal(v.Value, &s) // a value of another type is not a name
	return s
}

// The contrast of every text with its background is AA, in both themes.
func TestContrast(t *testing.T) {
	p := open(t, serve(t, filled()), may+"&page=foo.com/docs")
	p.settled()
	p.click(`[value="custom"]`)
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		p.until(`document.documentElement.dataset.theme === '` + scheme + `'`)
		if bad := p.eval(contrastScript); bad != "" {
			t.Errorf("%s:\n%s", scheme, bad)
		}
	}
}

const contrastScript = `(() => {
	for (const a of document.getAnimations()) a.finish?.call === undefined || (a.effect.getTiming().iterations !== Infinity && a.finish());
	const rgba = (c) => { const x = document.createElement('canvas').getContext('2d', { willReadFrequently: true }); x.fillStyle = c; x.fillRect(0, 0, 1, 1); const d = x.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
	const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3])).concat(1);
	const ground = (e) => { if (!e) return [255, 255, 255, 1]; const c = rgba(getComputedStyle(e).backgroundColor); return c[3] === 1 ? c : c[3] === 0 ? ground(e.parentElement) : over(c, ground(e.parentElement)); };
	const lum = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const bad = [];
	for (const e of document.querySelectorAll('body *')) {
		const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
		if (!own || e.closest('.vh, [hidden], noscript, option, .skip') || !e.getClientRects().length) continue;
		const style = getComputedStyle(e);
		let base = ground(e);
		if (e.closest('.page')) base = rgba(getComputedStyle(e.closest('.page'), '::before').backgroundColor); // the bar behind
		const a = lum(over(rgba(style.color), base)), b = lum(base);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) bad.push(ratio.toFixed(2) + ' ' + e.outerHTML.slice(0, 90));
	}
	return bad.join('\n');
})()`
