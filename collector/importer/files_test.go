package importer

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"speedlayer/collector/accesslog"
)

// logLines are n lines of the combined format, each of a page of its own.
func logLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "203.0.113.%d - - [02/Nov/2026:10:%02d:00 +0000] \"GET /p%d HTTP/1.1\" 200 1 \"-\" \"x\"\n", i%250, i/60%60, i)
	}
	return b.String()
}

// importing writes a file and imports it.
func importing(t *testing.T, cfg Config, name string, content []byte) (Report, *collect) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	sink := &collect{}
	cfg.Sink = sink
	if cfg.Host == "" && cfg.Format != JSONLines {
		cfg.Host = "h.example"
	}
	r, err := Import(t.Context(), cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	return r, sink
}

func packed(t *testing.T, text string) map[string][]byte {
	t.Helper()
	var gz, zs, x bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, _ = g.Write([]byte(text))
	_ = g.Close()
	z, _ := zstd.NewWriter(&zs)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	w, err := xz.NewWriter(&x)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return map[string][]byte{"gzip": gz.Bytes(), "zstd": zs.Bytes(), "xz": x.Bytes()}
}

// bzip2 of two lines, as the standard library cannot write it: made by bzip2.
const bzip2Hex = "425a68393141592653593fd2eb4e0000395f804010500bf91002c1440a0000c14020006415546c89a43468d343d40aaa0d0d001a32174b572a210bbda129a4b0cd0d4caaee42ce586ed12cb1ba8e1551e50fc925d1768be6e175155965525a41158769b845149356a20a3d5ef917e2ee48a70a1207fa5d69c0"

// Packed files are read whatever their names are, and a last line without a
// line end in them is whole, as they do not grow.
func TestPacked(t *testing.T) {
	text := strings.TrimSuffix(logLines(3), "\n")
	files := packed(t, text)
	files["gzip in gzip"] = packed(t, string(files["gzip"]))["gzip"]
	files["members"] = append(bytes.Clone(packed(t, logLines(2))["gzip"]), packed(t, strings.TrimPrefix(text, logLines(2)))["gzip"]...)
	files["padding"] = append(bytes.Clone(files["gzip"]), make([]byte, 1000)...)
	files["garbage"] = append(bytes.Clone(files["gzip"]), "\x00\x00garbage"...)
	for name, content := range files {
		r, sink := importing(t, Config{}, "access.log", content)
		if r.Pageviews != 3 || len(sink.messages) != 3 || r.Err() != nil || r.Files[0].Format != Combined || !r.Files[0].Found {
			t.Errorf("%s: %+v", name, r)
		}
		if notes := fmt.Sprint(r.Files[0].Notes); strings.Contains(notes, "not gzip") != (name == "garbage") {
			t.Errorf("%s: notes %s", name, notes)
		}
	}
	content, err := hex.DecodeString(bzip2Hex)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := importing(t, Config{}, "access.log", content); r.Pageviews != 2 || r.Err() != nil {
		t.Errorf("bzip2: %+v", r)
	}
}

// Of a packed file that is cut off, or damaged, what was read counts, and the
// file is named; the other files are read.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	monday, wednesday := write("monday", []byte(logLines(2))), write("wednesday", []byte(logLines(2)))
	for name, whole := range packed(t, logLines(5_000)) {
		broken := bytes.Clone(whole)
		broken[len(broken)*2/3] ^= 0xff
		for how, content := range map[string][]byte{"cut off": whole[:len(whole)*2/3], "header alone": whole[:8], "broken": broken} {
			tuesday := write("tuesday", content)
			sink := &collect{}
			r, err := Import(t.Context(), Config{Host: "h.example", Sink: sink}, monday, tuesday, wednesday)
			if err != nil {
				t.Fatal(err)
			}
			if err = r.Err(); err == nil || !strings.Contains(err.Error(), tuesday) || strings.Contains(err.Error(), "monday") {
				t.Errorf("%s %s: the error is %v", name, how, err)
			}
			if r.Files[0].Lines != 2 || r.Files[2].Lines != 2 || r.Pageviews < 4 || r.Pageviews > 4+r.Files[1].Lines || r.Files[1].Lines >= 5_000 {
				t.Errorf("%s %s: %d pageviews, files %+v", name, how, r.Pageviews, r.Files)
			}
			if how == "cut off" && name == "gzip" && r.Files[1].Lines < 1000 {
				t.Errorf("%s %s: only %d lines were read", name, how, r.Files[1].Lines)
			}
		}
	}
}

// Of a stream, the first lines are taken though no more come.
func TestStreamIsNotWaitedFor(t *testing.T) {
	r, w := io.Pipe()
	unpacked := make(chan line, 1)
	go func() {
		in, _, err := unpack(r, true, nil)
		if err == nil {
			l, _ := newScanner(in).scan()
			unpacked <- l
		}
		close(unpacked)
	}()
	if _, err := io.WriteString(w, logLines(1)); err != nil {
		t.Fatal(err)
	}
	if l := <-unpacked; string(l.text)+"\n" != logLines(1) {
		t.Errorf("the first line is %q", l.text)
	}
	_ = w.Close()
}

// What is not a file of lines is named.
func TestNotLines(t *testing.T) {
	var tarred, zipped bytes.Buffer
	w := tar.NewWriter(&tarred)
	_ = w.WriteHeader(&tar.Header{Name: "access.log", Size: 5, Mode: 0o644})
	_, _ = w.Write([]byte("hello"))
	_ = w.Close()
	z := zip.NewWriter(&zipped)
	f, _ := z.Create("access.log")
	_, _ = f.Write([]byte("hello"))
	_ = z.Close()
	wide := func(order int, bom bool) (b []byte) {
		text := logLines(2)
		if bom {
			text = "\ufeff" + text
		}
		for _, u := range utf16.Encode([]rune(text)) {
			pair := []byte{byte(u), byte(u >> 8)}
			b = append(b, pair[order], pair[1-order])
		}
		return b
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"tar":             {tarred.Bytes(), "tar archive"},
		"tar.gz":          {packed(t, tarred.String())["gzip"], "tar archive"},
		"zip":             {zipped.Bytes(), "zip archive"},
		"UTF-16":          {wide(0, true), "UTF-16"},
		"UTF-16BE":        {wide(1, true), "UTF-16"},
		"UTF-16, no mark": {wide(0, false), "UTF-16"},
		"lz4":             {[]byte("\x04\x22\x4d\x18xxxxxxxx"), "lz4"},
	} {
		r, sink := importing(t, Config{}, "access.log", c.content)
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), c.want) || len(sink.messages) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r, _ := importing(t, Config{}, "access.log", nil); r.Err() != nil || r.Lines != 0 {
		t.Errorf("an empty file: %+v", r)
	}
}

// Line ends, byte order marks and NULs are not parts of lines, and change no
// line's position.
func TestLineEnds(t *testing.T) {
	text := logLines(4)
	_, plain := importing(t, Config{}, "access.log", []byte(text))
	half := logLines(5)[len(text) : len(text)+30]
	for name, c := range map[string]struct {
		content     string
		nuls, extra int
	}{
		"CR LF":           {strings.ReplaceAll(text, "\n", "\r\n"), 0, 0},
		"CR":              {strings.ReplaceAll(text, "\n", "\r"), 0, 0},
		"mark":            {"\ufeff" + text, 0, 0},
		"NULs in front":   {strings.Repeat("\x00", 100_000) + text, 100_000, 0},
		"NULs after half": {text + half + strings.Repeat("\x00", 3000), 3000, 1},
		"NULs at the end": {text + strings.Repeat("\x00", 3000), 3000, 0},
	} {
		r, sink := importing(t, Config{}, "access.log", []byte(c.content))
		if sink.values() != plain.values() || r.Lines != int64(4+c.extra) || r.Err() != nil {
			t.Errorf("%s: %+v", name, r)
		}
		if notes := fmt.Sprint(r.Files[0].Notes); strings.Contains(notes, fmt.Sprintf("%d NUL bytes", c.nuls)) != (c.nuls > 0) {
			t.Errorf("%s: notes %s", name, notes)
		}
	}
}

// A file may grow: its last line counts when it has its end, and once.
func TestHalfLine(t *testing.T) {
	text := logLines(3)
	var all strings.Builder
	for n := range len(text) {
		r, sink := importing(t, Config{Format: Combined}, "access.log", []byte(text[:n]))
		if whole := int64(strings.Count(text[:n], "\n")); r.Lines != whole || r.Pageviews != whole || r.Err() != nil {
			t.Fatalf("%d bytes: %+v", n, r)
		}
		if !strings.HasPrefix(sink.values(), all.String()) {
			t.Fatalf("%d bytes: other events than before", n)
		}
		all.Reset()
		all.WriteString(sink.values())
	}
	for name, cfg := range map[string]Config{"--last-line": {LastLine: true}, "standard input": {Stdin: strings.NewReader(text[:len(text)-1])}} {
		sink := &collect{}
		cfg.Sink, cfg.Host = sink, "h.example"
		file := "-"
		if cfg.Stdin == nil {
			file = filepath.Join(t.TempDir(), "access.log")
			if err := os.WriteFile(file, []byte(text[:len(text)-1]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := Import(t.Context(), cfg, file); err != nil || r.Pageviews != 3 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A file of which no line is understood is an error with the likely reason.
func TestNothingUnderstood(t *testing.T) {
	caddy := `{"level":"info","ts":1762077600.123,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"203.0.113.100","method":"GET","host":"caddy.example","uri":"/"},"status":200}` + "\n"
	w3c := "#Software: IIS\n#Fields: date time cs-method cs-uri-stem c-ip sc-status\n2026-11-02 00:00:05 GET / 203.0.113.102 200\n"
	for name, c := range map[string]struct {
		format  Format
		content string
		want    string
	}{
		"caddy":            {Combined, caddy, "--format caddy"},
		"w3c":              {Combined, w3c, "--format w3c"},
		"events":           {Combined, `{"person":"p","url":"http://a.b/","ts":1000000000000}` + "\n", "--format jsonl"},
		"caddy as jsonl":   {JSONLines, caddy, "--format caddy"},
		"log as w3c":       {accesslog.W3C, logLines(2), "--format combined"},
		"common":           {Combined, `203.0.113.1 - - [02/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1` + "\n", "--format common"},
		"syslog":           {Combined, "Nov  2 12:00:01 web1 sshd[1]: Accepted publickey\n", "not a log line"},
		"no address":       {Combined, `- - - [02/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"` + "\n", "address of the client is -"},
		"unknown":          {"", "hello\nworld\n", "format is not known"},
		"seconds for ms":   {JSONLines, `{"person":"p","url":"http://a.b/","ts":1762077600}` + "\n", "before 1990"},
		"w3c, no #Fields":  {accesslog.W3C, "2026-11-02 00:00:05 GET / 203.0.113.102 200\n", "#Fields"},
		"directives alone": {accesslog.W3C, "#Fields: date time\n", ""},
		"not pageviews":    {"", strings.ReplaceAll(logLines(1), "GET", "POST"), ""},
	} {
		r, _ := importing(t, Config{Format: c.format}, "access.log", []byte(c.content))
		switch err := r.Err(); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// A site must be known, from the lines or from the caller.
func TestNoHost(t *testing.T) {
	sink := &collect{}
	r, err := Import(t.Context(), Config{Sink: sink, Stdin: strings.NewReader(logLines(2))}, "-")
	if err != nil || r.Err() == nil || !strings.Contains(r.Err().Error(), "--host") || len(sink.messages) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	vhosts := "a.example:80 " + strings.ReplaceAll(logLines(2), "\n203", "\nb.example:443 203")
	r, err = Import(t.Context(), Config{Sink: sink, Stdin: strings.NewReader(vhosts)}, "-")
	if err != nil || r.Err() != nil || r.Pageviews != 2 || !strings.Contains(sink.values(), "http://a.example/p0") || !strings.Contains(sink.values(), "http://b.example/p1") {
		t.Errorf("%+v, %v\n%s", r, err, sink.values())
	}
	// Lines that name their host are the same pageviews, whatever --host says.
	other := &collect{}
	if _, err := Import(t.Context(), Config{Sink: other, Host: "c.example", Stdin: strings.NewReader(vhosts)}, "-"); err != nil || other.values() != sink.values() {
		t.Errorf("with --host: %v\n%s", err, other.values())
	}
}

// Lines of the combined format that are read as common say so, and their bots
// are dropped.
func TestCommonGivenCombined(t *testing.T) {
	text := logLines(1) + strings.Replace(logLines(1), `"x"`, `"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"`, 1)
	r, _ := importing(t, Config{Format: Common, DropBots: true}, "access.log", []byte(text))
	if r.Pageviews != 1 || r.BotsDropped != 1 || !strings.Contains(fmt.Sprint(r.Files[0].Notes), "read as combined") {
		t.Errorf("%+v", r)
	}
}

// The lines before the one that tells the format are not lost.
func TestLateFormat(t *testing.T) {
	r, sink := importing(t, Config{}, "access.log", []byte("garbage\n\n"+logLines(2)))
	if r.Lines != 4 || r.Pageviews != 2 || r.Files[0].Rejected != 1 || r.Files[0].Format != Combined {
		t.Errorf("%+v", r)
	}
	_, given := importing(t, Config{Format: Combined}, "access.log", []byte("garbage\n\n"+logLines(2)))
	if sink.values() != given.values() {
		t.Errorf("the nonces depend on how the format was known")
	}
}

// The likely reason why no line of a file was understood.
func TestLikelyReasons(t *testing.T) {
	const rest = ` - - [02/Nov/2026:12:00:01 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"` + "\n"
	for content, want := range map[string]string{
		"-" + rest: "the address of the client is -",
		`{"at":"2026-11-02T12:00:01Z","page":"/a"}` + "\n":                                      "--format json --fields",
		`{"person":"a","url":"http://h.example/","ts":1793620801}` + "\n":                       "were seconds meant",
		strings.Replace("203.0.113.1"+rest, "2026", "1986", 1):                                  "before 1990",
		"\x5d\x00\x00\x80\x00\xff\xff":                                                          "lzma",
		"1793620801.123    100 203.0.113.10 TCP_MISS/200 5 GET http://h.example/a - DIRECT/1\n": "the format is not known",
	} {
		name := filepath.Join(t.TempDir(), "access.log")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		q := &memory{}
		r, err := Import(t.Context(), Config{Host: "h.example", Sink: Local{q.ledger()}}, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), want) || len(q.records) > 0 {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
}
