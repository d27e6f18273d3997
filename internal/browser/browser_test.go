package browser_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"speedlayer/internal/browser"
)

// The helper is right if a page can be read, and if nothing is left afterwards:
// the second is checked in its cleanup, and here once more from outside.
func TestNothingIsLeft(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var ctx context.Context
	t.Run("browser", func(t *testing.T) {
		ctx = browser.New(t)
		zone, err := chromedp.Run(ctx, chromedp.Evaluate[string](`Intl.DateTimeFormat().resolvedOptions().timeZone`))
		if err != nil {
			t.Fatal(err)
		}
		if zone != "America/New_York" {
			t.Errorf("zone is %q: a test in it could not tell local time from UTC", zone)
		}
	})
	if ctx == nil {
		t.Skip("no browser; the inner test said so")
	}
	if ctx.Err() == nil {
		t.Error("the browser's context outlived its test")
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "speedlayer-browser-*")); len(left) > 0 {
		t.Errorf("left in %s: %v", os.TempDir(), left)
	}
}
