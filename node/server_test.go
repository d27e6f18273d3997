package node

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"speedlayer/internal/problem"
)

func testDaemon(t *testing.T, data string) *Node {
	t.Helper()
	d, err := Open(t.Context(), Config{Data: data, HTTP: &HTTPConfig{Listen: "127.0.0.1:0", Pprof: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func do(t *testing.T, method, url, contentType, body string) (status int, header http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// Every path of the contract is served, and errors on every path are problem
// details.
func TestServer(t *testing.T) {
	data := t.TempDir()
	d := testDaemon(t, data)
	url := d.URL()
	const view = `{"nonce":"1","person":"p","url":"http://foo.com/a","ts":"2026-01-05T10:00:00Z"}`
	if status, _, body := do(t, "POST", url+"/api/v1/pageviews?wait=applied", "application/json", view); status != 200 {
		t.Fatal(status, body)
	}
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/api/v1/pageviews?url=foo.com&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"pageviews":1`},
		{"GET", "/api/v1/uniques?url=foo.com/a&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"visitors":1`},
		{"GET", "/api/v1/bounce-rate?domain=foo.com&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"bounce_rate":1`},
		{"GET", "/api/v1/top?domain=foo.com&from=2026-01-05T10:00Z&to=2026-01-05T11:00Z", 200, `"foo.com/a"`},
		{"GET", "/api/v1/status", 200, `"kafka"`},
		{"GET", "/api/v1/equivs", 200, `"equivs"`},
		{"GET", "/api/v1/cells", 200, `"kafka"`},
		{"GET", "/", 200, "<html"},
		{"GET", "/js/script.js", 200, "pageview"},
		{"GET", "/openapi.yaml", 200, "openapi: 3.1.0"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 200, "ready"},
		{"GET", "/metrics", 200, `speedlayer_records_total{partition="`},
		{"HEAD", "/api/v1/status", 200, ""},
		{"GET", "/nowhere", 404, "see /openapi.yaml"},
		{"GET", "/api/v1/nowhere", 404, "see /openapi.yaml"},
		{"PUT", "/api/v1/pageviews", 405, "GET, POST, OPTIONS"},
		{"DELETE", "/", 405, "GET"},
		{"POST", "/metrics", 405, "GET"},
		{"GET", "/debug/pprof/", 404, ""}, // on an address of its own only
	} {
		status, header, body := do(t, c.method, url+c.path, "", "")
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %.200s: want %d with %s", c.method, c.path, status, body, c.status, c.want)
		}
		if status >= 400 && c.method != "HEAD" && header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s %s: an error of type %s", c.method, c.path, header.Get("Content-Type"))
		}
	}
	if answer := exchange(t, d, "CONNECT foo.com:443 HTTP/1.1\r\nHost: foo.com\r\n\r\n"); !strings.Contains(answer, problem.ContentType) {
		t.Errorf("CONNECT: %s", answer)
	}
	// A stopping server reports it, and takes nothing.
	d.server.stopping.Store(true)
	if status, _, _ := do(t, "GET", url+"/readyz", "", ""); status != http.StatusServiceUnavailable {
		t.Errorf("a stopping server is ready: %d", status)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	// Counts go on after a restart.
	d = testDaemon(t, data)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, _, body := do(t, "GET", d.URL()+"/metrics", "", "")
	if !strings.Contains(body, `result="event"} 1`) {
		t.Error("events counted before the restart are not in the metrics")
	}
}

// exchange sends a request as it stands, and returns what has come of the answer
// when its head is there.
func exchange(t *testing.T, d *Node, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", d.server.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	var answer strings.Builder
	for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != ""; {
		answer.WriteString(lines.Text() + "\n")
	}
	return answer.String()
}

// Clients that never finish what they began to send do not make a stop late, nor
// a failure.
func TestStopWithSlowClients(t *testing.T) {
	d := testDaemon(t, t.TempDir())
	const post = "POST /api/v1/pageviews HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	// The answer 100 means that the body is waited for.
	if answer := exchange(t, d, post+"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n"); !strings.Contains(answer, "100 Continue") {
		t.Fatal(answer)
	}
	for _, begun := range []string{"", "GET /he", post, post + "Content-Length: 100\r\n\r\n{"} {
		conn, err := net.Dial("tcp", d.server.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write([]byte(begun)); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stopped after %v", took)
	}
}
