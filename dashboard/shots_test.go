package dashboard

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestShots takes pictures for people to look at, and stores them in the directory that
// SPEEDLAYER_SHOTS names. Without that variable it does nothing.
func TestShots(t *testing.T) {
	dir := os.Getenv("SPEEDLAYER_SHOTS")
	if dir == "" {
		t.Log("SPEEDLAYER_SHOTS names no directory: no pictures")
		return
	}
	f := filled()
	three := 3
	f.current = &three
	s := serve(t, f)
	p := open(t, s, may)
	p.settled()
	p.shot(dir, "desktop-light")
	p.do(chromedp.MouseEvent("mouseMoved", 700, 450))
	p.until(`!document.querySelector('.tip').hidden`)
	p.shot(dir, "desktop-tip")
	p.dark()
	p.shot(dir, "desktop-dark")
	p.do(chromedp.EmulateViewport(375, 812, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
	p.shot(dir, "phone-dark")
	p.visit(may + "&page=foo.com/docs/install&metric=bounce_rate")
	p.settled()
	p.light()
	p.shot(dir, "phone-page")
	p.click("#as-table")
	p.shot(dir, "phone-table")
	p.visit("?domain=bar.org")
	p.settled()
	p.shot(dir, "phone-today")
	p.do(chromedp.EmulateViewport(1280, 900))
	p.shot(dir, "desktop-today")
	p.click("#nothing-all, [value=custom]")
	p.shot(dir, "desktop-custom")
	f.change(func() { f.views = nil })
	p.visit("")
	p.settled()
	p.shot(dir, "desktop-empty")
	p.do(chromedp.EmulateViewport(375, 812, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
	p.shot(dir, "phone-empty")
	f.change(func() { f.down = true })
	p.visit(may)
	p.until(`!document.getElementById('notice').hidden`)
	p.shot(dir, "phone-error")
}

func (p *tab) shot(dir, name string) {
	p.t.Helper()
	p.until(`document.fonts.status === 'loaded'`)
	data, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
