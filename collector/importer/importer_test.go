package importer

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"speedlayer/collector/imports"
	"speedlayer/demo"
	"speedlayer/queue"
)

// collect is a sink that keeps everything, and remembers nothing of files.
type collect struct{ messages []queue.Message }

func (c *collect) Known(context.Context, string) (imports.Known, error) { return imports.Known{}, nil }

func (c *collect) Send(_ context.Context, _ string, b imports.Batch) (Taken, error) {
	at := make([]queue.Position, len(b.Messages))
	for i, m := range b.Messages {
		at[i].Offset = int64(len(c.messages))
		c.messages = append(c.messages, m.Message)
	}
	return Taken{Positions: at}, nil
}

func (c *collect) values() string {
	var b strings.Builder
	for _, m := range c.messages {
		fmt.Fprintf(&b, "%s\n", m.Value)
	}
	return b.String()
}

// The figures of the demo's log were found with a program outside of the project.
func TestRealLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.gz")
	if err := os.WriteFile(file, demo.AccessLog, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, drop := range []bool{false, true} {
		sink := &collect{}
		r, err := Import(t.Context(), Config{Format: Combined, Host: demo.Host, DropBots: drop, Sink: sink}, file)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, c := range r.NotPageview {
			got[c.Reason] = c.Lines
			if len(c.Examples) == 0 {
				t.Errorf("%s: no example", c.Reason)
			}
		}
		want := map[string]int64{"method is not GET": 48, "status is not 200-299 or 304": 371, "last segment of the path has another extension": 5811}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(r.Rejected) != 0 {
			t.Errorf("not pageviews: %v, rejected %v, want %v", got, r.Rejected, want)
		}
		if r.Lines != 10000 || r.Pageviews+r.BotsDropped != 3770 || (r.BotsDropped > 0) != drop || int64(len(sink.messages)) != r.Pageviews {
			t.Errorf("%d lines, %d pageviews, %d bots, %d messages", r.Lines, r.Pageviews, r.BotsDropped, len(sink.messages))
		}
	}
}

// The same file packed, renamed, grown or from standard input has the same
// nonces; equal lines have different ones.
func TestSameFileSameNonces(t *testing.T) {
	line := `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"` + "\n"
	log := []byte(strings.Repeat(line, 3))
	var gz, zs bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, _ = g.Write(log)
	_ = g.Close()
	z, _ := zstd.NewWriter(&zs)
	_, _ = z.Write(log)
	_ = z.Close()
	members := append(bytes.Clone(gz.Bytes()), gz.Bytes()...) // gzip and zstd may come in pieces
	skipped := append([]byte{0x5f, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x'}, zs.Bytes()...)
	dir := t.TempDir()
	var first string
	for i, content := range [][]byte{log, gz.Bytes(), zs.Bytes(), members, skipped, append(bytes.Clone(zs.Bytes()), zs.Bytes()...), append(bytes.Clone(log), line...), []byte(strings.ReplaceAll(string(log), "\n", "\r\n"))} {
		name := filepath.Join(dir, fmt.Sprint("f", i))
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
		sink := &collect{}
		if _, err := Import(t.Context(), Config{Format: Combined, Host: "h.example", Sink: sink}, name); err != nil {
			t.Fatal(err)
		}
		values := sink.values()
		if i == 0 {
			first = values
			lines := strings.Split(strings.TrimSpace(values), "\n")
			if len(lines) != 3 || lines[0] == lines[1] || lines[1] == lines[2] {
				t.Fatalf("equal lines are not pageviews of their own:\n%s", values)
			}
		}
		if !strings.HasPrefix(values, first) {
			t.Errorf("file %d has other events:\n%s\nthan\n%s", i, values, first)
		}
	}
	sink := &collect{}
	if _, err := Import(t.Context(), Config{Format: Combined, Host: "h.example", Sink: sink, Stdin: bytes.NewReader(gz.Bytes())}, "-"); err != nil || sink.values() != first {
		t.Errorf("standard input gives other events, %v", err)
	}
}

func TestJSONLinesAndBrokenOnes(t *testing.T) {
	in := `{"person":"p","url":"http://a.b/","ts":1000000000000}
{"nonce":"n","person":"p","url":"http://a.b/","ts":1000000000000}
broken

{"person":"p","url":"ftp://a.b/","ts":1000000000000}
{"person":"p","url":"http://a.b/","ts":99999999999999}
` + strings.Repeat("x", maxLine+5) + `
{"person":"last","url":"http://a.b/","ts":1000000000000}`
	sink := &collect{}
	r, err := Import(t.Context(), Config{Format: JSONLines, Sink: sink, Stdin: strings.NewReader(in)}, "-")
	if err != nil {
		t.Fatal(err)
	}
	if r.Lines != 8 || r.Pageviews != 3 || len(r.Rejected) != 4 || len(r.NotPageview) != 1 {
		t.Fatalf("%+v", r)
	}
	if !strings.Contains(sink.values(), `"nonce":"n"`) || !strings.Contains(sink.values(), "last") {
		t.Errorf("values are\n%s", sink.values())
	}
}

// A first line too long to read is still the same first line, however the file
// comes in: in large pieces or byte by byte.
func TestLongFirstLine(t *testing.T) {
	in := strings.Repeat("x", maxLine+10) + "\n" + `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"` + "\n" + strings.Repeat("y", maxLine+1)
	var values []string
	for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
		sink := &collect{}
		report, err := Import(t.Context(), Config{Format: Combined, Host: "h.example", Sink: sink, Stdin: r}, "-")
		if err != nil || len(report.Rejected) != 1 || report.Rejected[0].Lines != 2 || !strings.HasPrefix(report.Rejected[0].Examples[0], "xxx") {
			t.Fatalf("%+v, %v", report, err)
		}
		values = append(values, sink.values())
	}
	if values[0] != values[1] || values[0] == "" {
		t.Errorf("the nonces depend on how the file was read:\n%s\n%s", values[0], values[1])
	}
}

func TestMissingFile(t *testing.T) {
	r, err := Import(t.Context(), Config{Format: Combined, Sink: &collect{}}, "/no/such/file")
	if err != nil {
		t.Fatal(err)
	}
	if err = r.Err(); err == nil || !strings.HasPrefix(err.Error(), "/no/such/file: ") {
		t.Fatal(err)
	}
}
