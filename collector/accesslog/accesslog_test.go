package accesslog

import (
	"strings"
	"testing"

	"speedlayer/event"
)

func parse(line string, f Format, l *Line) error {
	return NewParser(Options{Format: f}).Parse([]byte(line), l)
}

func TestPageview(t *testing.T) {
	const front, behind = `1.2.3.4 - - [17/May/2015:12:05:03 +0200] `, ` 5 "http://r/" "agent \"x\" \xc3\xa9"`
	for _, c := range []struct {
		line   string
		reason Reason
		url    string
		person string
	}{
		{front + `"GET /a HTTP/1.1" 200` + behind, "", "http://h/a", "1.2.3.4"},
		{front + `"GET /a" 304` + behind, "", "http://h/a", "1.2.3.4"},
		{front + `"GET  /a b  HTTP/1.1" 200` + behind, "", "http://h/a%20b", "1.2.3.4"},
		{front + `"GET /a HTTP/x HTTP/1.1" 200` + behind, "", "http://h/a%20HTTP/x", "1.2.3.4"},
		{front + `"GET https://o.example/x HTTP/1.1" 200` + behind, "", "https://o.example/x", "1.2.3.4"},
		{front + `"GET /?u=http://x/y.png HTTP/1.1" 200` + behind, "", "http://h/?u=http://x/y.png", "1.2.3.4"},
		{front + `"GET /\xe9\"\\ HTTP/1.1" 200` + behind, "", `http://h/%E9%22%5C`, "1.2.3.4"},
		{`::1 - frank [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200` + behind, "", "http://h/", "frank"},
		{`::1 - "" [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200` + behind, "", "http://h/", "::1"},
		{`::1 - John Doe [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200` + behind, "", "http://h/", "John Doe"},
		{`::1 -  [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200` + behind, "", "http://h/", "::1"},
		{`::1 - [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200` + behind, "", "http://h/", "::1"},
		{`::1 - a [b] [c [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200` + behind, "", "http://h/", "a [b] [c"},
		{`::1 - [x] "y" [17/May/2015:12:05:03 +0200] "GET /[17] HTTP/1.1" 200` + behind, "", "http://h/[17]", `[x] "y"`},
		{front + `"POST /a HTTP/1.1" 200` + behind, NotGET, "", ""},
		{front + `"-" 408` + behind, NotGET, "", ""},
		{front + `"GET /a HTTP/1.1" 301` + behind, BadStatus, "", ""},
		{front + `"GET /a.png HTTP/1.1" 200` + behind, OtherFile, "", ""},
		{front + `"GET * HTTP/1.1" 200` + behind, RejectedTarget, "", ""},
		{front + `"GET http://a..b/ HTTP/1.1" 200` + behind, RejectedTarget, "", ""},
	} {
		var l Line
		if err := parse(c.line, Combined, &l); err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		var pv event.Pageview
		reason, err := l.Pageview("h", &pv)
		if reason != c.reason || (err != nil) != (reason == RejectedTarget) {
			t.Errorf("%s: reason %q, %v, want %q", c.line, reason, err, c.reason)
			continue
		}
		if reason == "" && (string(pv.URL) != c.url || string(pv.Person) != c.person || pv.TS != 1431857103000 || string(pv.UserAgent) != `agent "x" é`) {
			t.Errorf("%s: %q %q %d %q", c.line, pv.URL, pv.Person, pv.TS, pv.UserAgent)
		}
	}
}

func TestNotALine(t *testing.T) {
	for _, line := range []string{"", "x", `1.2.3.4 - - [x] "GET / HTTP/1.1" 200 5 "-" "-"`, `1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200 5`,
		`1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" abc 5 "-" "-"`, `1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1 200 5 - -`, `1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200 5 "-" x`} {
		var l Line
		if err := parse(line, Combined, &l); err == nil {
			t.Errorf("%q is a line of the combined format: %+v", line, l)
		}
	}
	var l Line
	if err := parse(`1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET / HTTP/1.1" 200 -`, Common, &l); err != nil {
		t.Errorf("common format: %v", err)
	}
}

// A line that was cut after its status and size says all that counts.
func TestCutLine(t *testing.T) {
	const line = `1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET /a HTTP/1.1" 200 5 "http://r/" "agent"`
	for n := strings.Index(line, `"http`) + 1; n <= len(line); n++ {
		var l Line
		if err := parse(line[:n], Combined, &l); err != nil {
			t.Fatalf("%s: %v", line[:n], err)
		}
		if string(l.Target) != "/a" || !strings.HasPrefix("http://r/", string(l.Referrer)) || !strings.HasPrefix("agent", string(l.UserAgent)) {
			t.Fatalf("%s: %q %q %q", line[:n], l.Target, l.Referrer, l.UserAgent)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET /a\x20 HTTP/1.1" 200 5 "-" "\"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, f := range Formats() {
			var l Line
			if parse(string(line), f, &l) != nil {
				continue
			}
			var pv event.Pageview
			if reason, _ := l.Pageview("h.example", &pv); reason == "" {
				if _, err := event.AppendPage(nil, pv.URL); err != nil {
					t.Fatalf("%q: %q is a pageview, but %v", line, pv.URL, err)
				}
			}
		}
	})
}

// What a client sent as headers may be any bytes; they reach the queue as UTF-8,
// or a processor would reject the pageview.
func TestPageviewIsUTF8(t *testing.T) {
	read := func(text string) (pv event.Pageview, why Reason, err error) {
		t.Helper()
		var l Line
		if err := parse(text, Combined, &l); err != nil {
			t.Fatal(err)
		}
		why, err = l.Pageview("foo.com", &pv)
		return pv, why, err
	}
	pv, why, err := read(`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 1 "http://x/\xff" "M\xE4c"`)
	if why != "" || err != nil {
		t.Fatal(why, err)
	}
	if got := string(pv.Referrer) + " " + string(pv.UserAgent); got != "http://x/\uFFFD M\uFFFDc" {
		t.Errorf("headers are %q", got)
	}
	var d event.Decoder
	var back event.Pageview
	if err := d.Decode(event.AppendJSON(nil, &pv), &back); err != nil {
		t.Errorf("a processor would reject it: %v", err)
	}
	if _, why, err := read(`1.2.3.4 - s\xff [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 1 "-" "-"`); why != RejectedTarget || err == nil {
		t.Errorf("a user that is not UTF-8: %q, %v", why, err)
	}
}
