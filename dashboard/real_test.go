package dashboard

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"speedlayer/internal/browser"
)

// startDemo builds the real program and runs its demo: the whole system, filled
// with the real access log. It returns the address that the demo prints, split
// into server and query.
func startDemo(t *testing.T) (server, query string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "speedlayer")
	if out, err := exec.Command("go", "build", "-o", bin, "speedlayer/cmd/speedlayer").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(bin, "demo", "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ended with %v\n%s", err, &errs)
		}
		kill.Stop()
	})
	address := regexp.MustCompile(`Dashboard: (http://[^/]+)/(\?\S+)`)
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			return m[1], m[2]
		}
	}
	t.Fatalf("the demo printed no address of the dashboard:\n%s%s", &said, &errs)
	return "", ""
}

// The real system with the real log: the numbers of the page are those of the API, and
// the known ones. A posted pageview appears without a reload.
func TestRealSystem(t *testing.T) {
	p := &tab{t: t, ctx: browser.New(t)}
	var query string
	p.url, query = startDemo(t)
	p.listen()
	p.do(chromedp.EmulateViewport(1280, 900))
	p.visit(query)
	p.shows("pageviews", "3,770")
	p.shows("visitors", "1,187")
	p.shows("visits", "2,108")
	p.shows("bounce_rate", "70.6%")
	p.settled()
	p.until(`document.getElementById('link').dataset.state === 'live'`)
	if dir := os.Getenv("SPEEDLAYER_SHOTS"); dir != "" {
		p.do(chromedp.EmulateViewport(1280, 900, chromedp.EmulateScale(1.5)))
		p.shot(dir, "dashboard")
		p.do(chromedp.EmulateViewport(1280, 900))
	}
	checkFigures(t, p, "semicomplete.com", "2015-05-17T00:00:00Z", "2015-05-21T00:00:00Z")

	// The other metrics and steps make other requests to the API.
	for _, metric := range []string{"visitors", "visits", "bounce_rate"} {
		p.visit(query + "&by=day&metric=" + metric)
		p.shows("pageviews", "3,770")
		p.settled()
		p.click("#as-table")
		p.until(`document.querySelectorAll('#chart-table tbody tr').length === 4`)
		p.until(`[...document.querySelectorAll('#chart-table td')].every((c) => /^[1-9]/.test(c.textContent))`)
	}
	p.click(`#pages a[data-page="semicomplete.com/"]`)
	p.shows("pageviews", "572")
	p.shows("visitors", "213")

	p.visit("?domain=semicomplete.com&range=all")
	p.shows("pageviews", "3,770")
	p.eval(`globalThis.sameDocument = true`)
	post(t, p.url, `{"person":"someone new","url":"https://semicomplete.com/fresh","ts":"2015-05-19T12:34:56Z"}`)
	p.shows("pageviews", "3,771")
	p.shows("visitors", "1,188")
	p.until(`document.getElementById('now').textContent.includes('current visitor')`)
	if p.eval(`globalThis.sameDocument`) != "true" {
		t.Error("the page was loaded again")
	}

	// A domain never seen before, visited just now.
	p.visit("?domain=fresh.example&range=24h")
	p.shows("pageviews", "0")
	post(t, p.url, fmt.Sprintf(`{"person":"someone new","url":"https://fresh.example/","ts":%d}`, time.Now().UnixMilli()))
	p.shows("pageviews", "1")
	p.until(`document.getElementById('now').textContent === '1 current visitor'`)
}

func post(t *testing.T, server, body string) {
	t.Helper()
	resp, err := http.Post(server+"/api/v1/pageviews", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("POST: %s", resp.Status)
	}
}
