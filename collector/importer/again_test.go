package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/collector/imports"
	"speedlayer/queue"
)

// night imports a file into a queue, as a process of its own.
func night(t *testing.T, q *memory, content string, change func(*Config)) Report {
	t.Helper()
	name := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Format: Combined, Host: "h.example", Sink: Local{q.ledger()}}
	if change != nil {
		change(&cfg)
	}
	r, err := Import(t.Context(), cfg, name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A log that is imported every night: each line counts once, whatever became of the
// file meanwhile. Nothing remembers but the rows.
func TestEveryNight(t *testing.T) {
	q := &memory{}
	log := logOf(40, 5)
	lines := strings.SplitAfter(log, "\n")
	edited := strings.Join(lines[:20], "") + strings.Replace(lines[20], "/p6", "/edited", 1) + strings.Join(lines[21:], "")
	if edited == log {
		t.Fatal("nothing was edited")
	}
	for i, n := range []struct {
		content               string
		pageviews, duplicates int64
		records               int
	}{
		{log, 40, 0, 40},
		{log, 40, 40, 40},
		{log + logOf(3, 6), 43, 40, 43}, // it grew
		{strings.ReplaceAll(log, "\n", "\r\n"), 40, 40, 43},      // line ends of Windows
		{strings.Join(lines[:10], ""), 10, 10, 43},               // cut off
		{strings.Join(lines[:10], "") + logOf(5, 7), 15, 10, 48}, // and begun again
		{edited, 40, 39, 49},                                     // edited in the middle
		{edited + logOf(1, 8), 41, 40, 50},                       // which is known then
		{lines[0] + logOf(2, 9), 3, 1, 52},                       // another file with the same first line
		{logOf(2, 9), 2, 0, 54},                                  // and with another
		{log + logOf(3, 6), 43, 43, 54},                          // the first again
	} {
		r := night(t, q, n.content, nil)
		if r.Pageviews != n.pageviews || r.Duplicates != n.duplicates || len(q.records) != n.records {
			t.Errorf("night %d: %d pageviews, %d duplicates, %d in the queue; want %+v", i, r.Pageviews, r.Duplicates, len(q.records), n)
		}
	}
	if r := night(t, q, log, func(c *Config) { c.Host = "other.example" }); r.Duplicates != 0 {
		t.Errorf("under another host: %+v", r)
	}
}

// A W3C log that grows every night, and whose fields change on the way: what is
// imported again is read with the fields that held for it.
func TestEveryNightW3C(t *testing.T) {
	q := &memory{}
	const head = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
	first := head + "#Fields: date time cs-method cs-uri-stem sc-status c-ip\n" + "2026-11-01 10:00:00 GET /a 200 192.0.2.1\n2026-11-01 10:00:01 GET /b 200 192.0.2.2\n"
	second := first + "2026-11-01 10:00:02 GET /c 200 192.0.2.3\n"
	restart := second + head + "#Fields: c-ip date time sc-status cs-uri-stem cs-method\n192.0.2.4 2026-11-02 10:00:00 200 /d GET\n"
	fourth := restart + "192.0.2.5 2026-11-02 10:00:01 200 /e GET\n"
	packed := fourth + "192.0.2.6 2026-11-02 10:00:02 200 /f GET\n"
	for i, n := range []struct {
		content               string
		pageviews, duplicates int64
	}{{first, 2, 0}, {second, 3, 2}, {second, 3, 3}, {restart, 4, 3}, {fourth, 5, 4}, {packed, 6, 5}, {first, 2, 2}} {
		r := night(t, q, n.content, func(c *Config) { c.Format = "" })
		if r.Pageviews != n.pageviews || r.Duplicates != n.duplicates || len(r.Rejected) != 0 {
			t.Errorf("night %d: %+v", i, r)
		}
	}
	for i, r := range q.records {
		if want := fmt.Sprintf(`"person":"192.0.2.%d","url":"http://h.example/%c"`, i+1, 'a'+i); !strings.Contains(string(r.Value), want) {
			t.Errorf("record %d is %s, want %s", i, r.Value, want)
		}
	}
	if len(q.records) != 6 {
		t.Errorf("%d in the queue", len(q.records))
	}
}

// Bots that were dropped come in when they are asked for, and nothing else.
func TestBotsAsked(t *testing.T) {
	q := &memory{}
	bot := strings.Replace(logOf(1, 1), `"x"`, `"Googlebot/2.1"`, 1)
	log := logOf(3, 1) + bot
	drop := night(t, q, log, func(c *Config) { c.DropBots = true })
	keep := night(t, q, log, nil)
	if drop.Pageviews != 3 || drop.BotsDropped != 1 || keep.Pageviews != 4 || keep.Duplicates != 3 || len(q.records) != 4 {
		t.Errorf("%+v, then %+v", drop, keep)
	}
}

// What an import by a version without rows has put into the log counts once.
func TestImportedByAnEarlierVersion(t *testing.T) {
	q := &memory{}
	log := logOf(6, 1)
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i, line := range lines[:4] {
		value := fmt.Sprintf(`{"nonce":%q,"person":"10.0.0.%d","url":"http://h.example/p%d?q=a","ts":1793613600000}`, nonceBefore([]byte(lines[0]), int64(i), []byte(line)), i, i)
		if _, err := q.AppendSync(t.Context(), []queue.Message{{Person: fmt.Appendf(nil, "10.0.0.%d", i), Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
	}
	if r := night(t, q, log, nil); r.Pageviews != 6 || r.Duplicates != 4 || len(q.records) != 6 {
		t.Errorf("%+v, %d in the queue", r, len(q.records))
	}
	if r := night(t, q, log, func(c *Config) { c.Host = "right.example" }); r.Duplicates != 0 {
		t.Errorf("under the right host: %+v", r)
	}
}

// dying is a sink whose process is killed after so many batches, before or after the
// batch is in the log.
type dying struct {
	Sink
	left  int
	after bool
}

var errKilled = errors.New("killed")

func (d *dying) Send(ctx context.Context, id string, b imports.Batch) (Taken, error) {
	if d.left--; d.left >= 0 {
		return d.Sink.Send(ctx, id, b)
	}
	if d.after {
		if _, err := d.Sink.Send(ctx, id, b); err != nil {
			return Taken{}, err
		}
	}
	return Taken{}, errKilled
}

func TestKilledBetweenBatches(t *testing.T) {
	log := logOf(100, 1)
	for n := range 20 {
		q := &memory{}
		sink := &dying{Sink: &limitedSink2{Sink: Local{q.ledger()}, most: 7}, left: n / 2, after: n%2 == 0}
		_, err := Import(t.Context(), Config{Format: Combined, Host: "h.example", Sink: sink, Stdin: strings.NewReader(log)}, "-")
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		r := night(t, q, log, nil)
		if r.Pageviews != 100 || len(q.records) != 100 {
			t.Errorf("killed in batch %d: %+v, %d in the queue", n, r, len(q.records))
		}
	}
}

// limitedSink2 is a sink that takes up to so many messages at once.
type limitedSink2 struct {
	Sink
	most int
}

func (r *limitedSink2) Send(ctx context.Context, id string, b imports.Batch) (Taken, error) {
	if len(b.Messages) > r.most {
		return Taken{}, ErrTooLarge
	}
	return r.Sink.Send(ctx, id, b)
}

// Lines of a pipe that stays open are sent without more to come; when the import is
// asked to stop, what was written is in the queue.
func TestPipeThatStaysOpen(t *testing.T) {
	q := &memory{}
	in, out := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	sent := make(chan int, 100)
	var report Report
	var failed error
	ended := make(chan struct{})
	go func() { // ends with the import
		defer close(ended)
		report, failed = Import(ctx, Config{Format: Combined, Host: "h.example", Sink: &telling{Local{q.ledger()}, sent}, Stdin: in}, "-")
	}()
	log := strings.SplitAfter(logOf(6, 1), "\n")
	for i := range 3 {
		if _, err := io.WriteString(out, log[i]); err != nil {
			t.Fatal(err)
		}
		for got := 0; got == 0; { // without an end of the pipe
			got = <-sent
		}
	}
	if _, err := io.WriteString(out, log[3]+log[4]+log[5][:20]); err != nil {
		t.Fatal(err)
	}
	stop()
	<-ended
	if failed != nil || !report.Stopped || report.Pageviews != 5 || len(q.records) != 5 {
		t.Errorf("%+v, %v, %d in the queue", report, failed, len(q.records))
	}
	_ = out.Close() // so that the reader ends
}

// telling is a sink that tells how many messages each batch had.
type telling struct {
	Sink
	sent chan int
}

func (s *telling) Send(ctx context.Context, id string, b imports.Batch) (Taken, error) {
	t, err := s.Sink.Send(ctx, id, b)
	s.sent <- len(b.Messages)
	return t, err
}
