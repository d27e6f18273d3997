package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Names under which a Chromium is looked for in PATH.
var Names = []string{"chromium", "chromium-browser", "google-chrome"}

// limit is for a whole test in the browser: far above what it takes, so that a
// condition that never comes true ends the test rather than the run.
const limit = 90 * time.Second

// Find returns the path of a Chromium, or an error that tells how to get one.
func Find() (string, error) {
	for _, name := range Names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no %s in PATH: install one, as with: apt-get install -y chromium", strings.Join(Names, ", "))
}

// New starts a browser and returns the context of its first tab, for
// chromedp.Run and Do. It ends with the test, or after 90 seconds.
func New(t testing.TB) context.Context {
	t.Helper()
	path, err := Find()
	if err != nil {
		missing(t, err)
	}
	profile, err := os.MkdirTemp("", "speedlayer-browser-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := start(context.Background(), path, profile)
	t.Cleanup(func() {
		stop()
		if left := strays(profile); len(left) > 0 {
			t.Errorf("the browser left processes behind: %v", left)
		}
		if err := os.RemoveAll(profile); err != nil {
			t.Errorf("the browser's profile: %v", err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("browser: %s does not start: %v", path, err)
	}
	return ctx
}

// missing skips the test in a way that is seen, or fails it under CI.
func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("browser: %v", err)
	}
	fmt.Fprintf(os.Stderr, "\n*** SKIPPED %s: %v ***\n\n", t.Name(), err)
	t.Skip(err)
}

// start runs Chromium as the leader of its own process group, with a profile of
// its own. stop closes it and waits until every process of the group is gone.
func start(parent context.Context, path, profile string) (ctx context.Context, stop func()) {
	parent, cancel := context.WithTimeout(parent, limit)
	group := &group{profile: profile}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.Flag("headless", "new"),
		chromedp.Flag("no-sandbox", os.Geteuid() == 0), // Chromium refuses a sandbox as root
		chromedp.Flag("disable-dev-shm-usage", true),   // containers have little of it
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-breakpad", true),
		chromedp.Flag("disable-crash-reporter", true),
		chromedp.Flag("hide-scrollbars", false),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Env("TZ=America/New_York", "HOME="+profile, "LANG=C.UTF-8"), // pages must not depend on the zone
		chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(45*time.Second), // a loaded machine starts it slowly
		chromedp.ModifyCmdFunc(group.lead),
	)
	alloc, cancelAlloc := chromedp.NewExecAllocator(parent, options...)
	ctx, cancelTab := chromedp.NewContext(alloc, chromedp.WithErrorf(quiet))
	return ctx, func() {
		// Cancel closes the browser as its menu would; the rest makes sure.
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			cancelTab()
		}
		cancelTab()
		cancelAlloc()
		group.end()
		cancel()
	}
}

// quiet drops chromedp's remarks on protocol events that it does not know yet;
// what matters to a test comes back as errors.
func quiet(string, ...any) {}
