package event

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

type urlCase struct {
	URL   json.RawMessage `json:"url"` // as it stands: some cases are about JSON's own escapes
	Page  string          `json:"page"`
	Error bool            `json:"error"`
	Why   string          `json:"why"`
}

func urlCases(t testing.TB) (cases []urlCase) {
	var text []byte
	for _, name := range []string{"testdata/url_cases.jsonl", "testdata/hosts.jsonl"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c urlCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if lines.Err() != nil || len(cases) < 500 {
		t.Fatalf("%d cases, %v", len(cases), lines.Err())
	}
	return cases
}

// Every case goes through a record, as it would on the queue.
func TestURLCases(t *testing.T) {
	var d Decoder
	for _, c := range urlCases(t) {
		var pv Pageview
		err := d.Decode([]byte(`{"person":"p","ts":1000000000000,"url":`+string(c.URL)+`}`), &pv)
		var page []byte
		if err == nil {
			page, err = AppendPage(nil, pv.URL)
		}
		switch {
		case c.Error && err == nil:
			t.Errorf("%s: got page %q, want an error (%s)", c.URL, page, c.Why)
		case !c.Error && (err != nil || string(page) != c.Page):
			t.Errorf("%s: got %q, %v, want %q (%s)", c.URL, page, err, c.Page, c.Why)
		}
	}
}

func checkPage(t *testing.T, raw string) {
	fast, ok := cleanPage(nil, []byte(raw))
	slow, err := parsePage([]byte(raw))
	if ok && (err != nil || string(fast) != slow) {
		t.Fatalf("%q: the scan says %q, the parser %q, %v", raw, fast, slow, err)
	}
	if err != nil {
		if _, isRejection := err.(*Rejection); !isRejection {
			t.Fatalf("%q: error %T, want *Rejection", raw, err)
		}
		return
	}
	if again, err := Page("http://" + slow); err != nil || again != slow {
		t.Fatalf("%q: page %q becomes %q, %v when normalised again", raw, slow, again, err)
	}
	if url, isDomain, err := ParseTarget(slow); err != nil || isDomain || url != slow {
		t.Fatalf("%q: page %q as a target is %q, domain %v, %v", raw, slow, url, isDomain, err)
	}
	domain := string(DomainOf([]byte(slow)))
	if url, isDomain, err := ParseTarget(domain); err != nil || !isDomain || url != domain {
		t.Fatalf("%q: domain %q as a target is %q, domain %v, %v", raw, domain, url, isDomain, err)
	}
}

func FuzzPage(f *testing.F) {
	for _, c := range urlCases(f) {
		var s string
		if json.Unmarshal(c.URL, &s) == nil {
			f.Add(s)
		}
	}
	for _, s := range []string{"http://a.b/..", "http://a.b/.%2e/c", "https://www.www.a/", "http://a.b/%2", "http://a.b/%7e//", "http://a.0x", "http://1.2.3/x", "HTTP://A.B"} {
		f.Add(s)
	}
	f.Fuzz(checkPage)
}

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		text, url string
		domain    bool
	}{
		{"foo.com", "foo.com", true}, {"www.Foo.com", "foo.com", true}, {"foo.com:8080", "foo.com:8080", true},
		{"foo.com:80", "foo.com", true}, {"foo.com/", "foo.com/", false}, {"http://foo.com", "foo.com/", false},
		{"foo.com/about/", "foo.com/about", false}, {"foo.com:8080/a", "foo.com:8080/a", false},
		{"https://www.foo.com/a?b#c", "foo.com/a", false}, {"[::1]", "[::1]", true}, {"[::1]:81/x", "[::1]:81/x", false},
		{"localhost", "localhost", true}, {"127.1", "127.0.0.1", true},
	} {
		url, domain, err := ParseTarget(c.text)
		if err != nil || url != c.url || domain != c.domain {
			t.Errorf("ParseTarget(%q) = %q, %v, %v, want %q, %v", c.text, url, domain, err, c.url, c.domain)
		}
	}
	for _, bad := range []string{"", "mailto:a@b", "ftp://foo.com/", "foo..com", "foo.com?x", "a b", "javascript:alert(1)", "/about", strings.Repeat("a", 64) + ".com"} {
		if url, _, err := ParseTarget(bad); err == nil {
			t.Errorf("ParseTarget(%q) = %q, want an error", bad, url)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	clean := []byte("https://www.example.com/blog/2015/05/some-article-about-things?utm_source=x")
	b.Run("clean", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst, _ = AppendPage(dst[:0], clean)
		}
	})
	b.Run("baseline-parser", func(b *testing.B) {
		for b.Loop() {
			_, _ = parsePage(clean)
		}
	})
}
