package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// A file of which nothing is understood ends with exit status 1 and one line of
// why; the others are imported, each line for its own host.
func TestImportFormats(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	const line = ` - - [02/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5120 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"` + "\n"
	vhosts := writeFile(t, "vhosts.log", []byte("www.shop.example:443 203.0.113.10"+line+"blog.shop.example:443 203.0.113.11"+line))
	main := writeFile(t, "main.log", []byte(strings.TrimSuffix("10.0.0.2"+line, "\n")+` "203.0.113.12"`+"\n"))
	text := writeFile(t, "notes.txt", []byte("remember the milk\n"))
	status, out, errs := call(t, "", "import", "--json", "--data", data, "--host", "shop.example", vhosts, text, main)
	var r importReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if status != exitFailed || r.Pageviews != 3 || len(r.Files) != 3 || r.Files[0].Format != "vhost" || !r.Files[0].Found || r.Files[1].Error == "" {
		t.Errorf("exit %d, %+v", status, r)
	}
	for _, want := range []string{"vhosts.log: format vhost", "notes.txt: none of its 1 lines was understood: the format is not known", "main.log: format combined", "main.log: 1 lines: the client is the forwarded address"} {
		if !strings.Contains(errs, want) {
			t.Errorf("standard error does not say %q:\n%s", want, errs)
		}
	}
	rangeFlags := []string{"--data", data, "--from", "2026-11-02T00:00Z", "--to", "2026-11-03T00:00Z", "--json", "--url"}
	for host, want := range map[string]string{"shop.example": `"visitors":2`, "blog.shop.example": `"visitors":1`} {
		if out := done(t, append(append([]string{"query", "uniques"}, rangeFlags...), host)...); !strings.Contains(out, want) {
			t.Errorf("%s: %s", host, out)
		}
	}
}
