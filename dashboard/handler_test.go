package dashboard

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, s *httptest.Server, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity") // else the client packs and unpacks by itself
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// Everything that the page refers to must exist, with a type that the browser
// accepts under nosniff. The same holds for what modules and styles refer to.
func TestEveryReferenceIsServed(t *testing.T) {
	s := serve(t, &fake{})
	resp, page := get(t, s, "GET", "/")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Security-Policy") != Policy || strings.Contains(page, "{{") {
		t.Fatalf("the page: %d %v", resp.StatusCode, resp.Header)
	}
	attr := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)
	inner := regexp.MustCompile(`(?:from |import |url\()['"]([^'"]+)['"]`)
	seen := map[string]bool{}
	var visit func(path string)
	visit = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		resp, body := get(t, s, "GET", path)
		if resp.StatusCode != 200 || resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
			return
		}
		if strings.Contains(path, "/vendor/") {
			return
		}
		for _, m := range inner.FindAllStringSubmatch(body, -1) {
			at := resp.Request.URL.ResolveReference(mustParse(t, m[1]))
			visit(at.Path)
		}
	}
	for _, m := range attr.FindAllStringSubmatch(page, -1) {
		visit(m[1])
	}
	if len(seen) < 15 {
		t.Errorf("only %d files found; the patterns of this test are wrong: %v", len(seen), seen)
	}
}

func TestNothingInline(t *testing.T) {
	page := string(mustLoad(t).page.body)
	for _, wrong := range []string{"<style", " style=", "javascript:", " onclick=", "https://", "http://"} {
		// The namespace of SVG is the one address that loads nothing.
		if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), wrong) {
			t.Errorf("the page has %q", wrong)
		}
	}
	if regexp.MustCompile(`<script(>| [^>]*>[^<])`).MatchString(page) {
		t.Error("the page has an inline script")
	}
}

func TestHeaders(t *testing.T) {
	s := serve(t, &fake{})
	full, body := get(t, s, "GET", "/assets/js/main.js")
	if full.StatusCode != 200 || full.Header.Get("Cache-Control") != "no-cache" || full.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Fatalf("%d %v", full.StatusCode, full.Header)
	}
	head, nothing := get(t, s, "HEAD", "/assets/js/main.js")
	if head.StatusCode != 200 || nothing != "" || head.ContentLength != int64(len(body)) || head.Header.Get("ETag") != full.Header.Get("ETag") {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
	same, nothing := get(t, s, "GET", "/assets/js/main.js", "If-None-Match", `"other", W/`+full.Header.Get("ETag"))
	if same.StatusCode != 304 || nothing != "" || same.Header.Get("ETag") != full.Header.Get("ETag") {
		t.Errorf("with its own tag: %d %v", same.StatusCode, same.Header)
	}
	other, _ := get(t, s, "GET", "/assets/js/main.js", "If-None-Match", `"other"`)
	if other.StatusCode != 200 {
		t.Errorf("with another tag: %d", other.StatusCode)
	}

	packed, small := get(t, s, "GET", "/assets/js/main.js", "Accept-Encoding", "br, gzip;q=0.5")
	if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("ETag") == full.Header.Get("ETag") || packed.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("packed: %v", packed.Header)
	}
	r, err := gzip.NewReader(strings.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || string(plain) != body {
		t.Errorf("packed differs from plain (%v)", err)
	}
	for _, none := range []string{"gzip;q=0", "br", "gzip; q=0.0"} {
		if resp, _ := get(t, s, "GET", "/assets/js/main.js", "Accept-Encoding", none); resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("packed although Accept-Encoding is %q", none)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	s := serve(t, &fake{})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/assets/js/none.js", 404},
		{"GET", "/assets/", 404},
		{"GET", "/assets/index.html", 404},
		{"GET", "/assets/000000000000/js/main.js", 404},
		{"GET", "/assets/..%2fdashboard.go", 404},
		{"POST", "/", 405},
		{"DELETE", "/assets/js/main.js", 405},
	} {
		resp, body := get(t, s, c.method, c.path)
		var d struct{ Status int }
		if err := json.Unmarshal([]byte(body), &d); resp.StatusCode != c.status || err != nil || d.Status != c.status || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, body)
		}
	}
}

// The version depends on names and contents: any change gives other addresses.
func TestVersionFollowsContent(t *testing.T) {
	of := func(files map[string]string) string {
		fsys := fstest.MapFS{}
		for name, body := range files {
			fsys["web/"+name] = &fstest.MapFile{Data: []byte(body)}
		}
		b, err := load(fsys)
		if err != nil {
			t.Fatal(err)
		}
		return b.version
	}
	base := of(map[string]string{"index.html": "a", "x.js": "b"})
	for _, other := range []map[string]string{{"index.html": "a", "x.js": "c"}, {"index.html": "a", "y.js": "b"}, {"index.html": "ab", "x.js": ""}} {
		if of(other) == base {
			t.Errorf("%v has the same version", other)
		}
	}
	if _, err := load(fstest.MapFS{"web/a.exe": &fstest.MapFile{}}); err == nil {
		t.Error("a file of unknown type was taken")
	}
}
