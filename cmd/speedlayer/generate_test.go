package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"speedlayer/event"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
)

// runCommand runs a command in the test's process.
func runCommand(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = Run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestGenerate(t *testing.T) {
	edges := filepath.Join(t.TempDir(), "edges.jsonl")
	args := []string{"generate", "--events", "2000", "--seed", "4", "--urls", "100", "--persons", "500", "--domains", "3", "--edges", "0.05"}
	status, out, errs := runCommand(t, append(args, "--edges-out", edges)...)
	if status != exitDone || strings.Count(out, "\n") != 2000 {
		t.Fatalf("status %d, %d lines, %s", status, strings.Count(out, "\n"), errs)
	}
	if _, again, _ := runCommand(t, args...); again != out {
		t.Error("the same seed makes another stream")
	}
	var d event.Decoder
	for line := range strings.Lines(out) {
		var pv event.Pageview
		if err := d.Decode([]byte(line[:len(line)-1]), &pv); err != nil || len(pv.Nonce) == 0 {
			t.Fatalf("%s: %v", line, err)
		}
	}
	b, err := os.ReadFile(edges)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n < 50 || n > 200 {
		t.Errorf("%d edges, want about 100", n)
	}
	for line := range strings.Lines(string(b)) {
		if _, err := event.DecodeEdge([]byte(strings.TrimSpace(line))); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	status, out, _ = runCommand(t, append(args, "--format", "combined", "--start", "2026-03-01T07:00Z")...)
	if status != exitDone || strings.Count(out, "\n") != 2000 || !strings.Contains(out, "[01/Mar/2026:07:") || json.Valid([]byte(out[:strings.IndexByte(out, '\n')])) {
		t.Errorf("combined: status %d: %.300s", status, out)
	}
}

func TestGenerateToKafka(t *testing.T) {
	b, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if status, out, errs := runCommand(t, "generate", "--events", "70000", "--edges", "0.0001", "--kafka", b.Addr()); status != exitDone || out != "" {
		t.Fatalf("status %d, output %q, %s", status, out, errs)
	}
	c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, end := range info.Ends {
		sum += end
	}
	if sum != 70_000 {
		t.Errorf("%d records, want 70,000", sum)
	}
}

// The embedded broker of a running system takes pageviews from outside, and no
// edges: they are left out, and that is said.
func TestGenerateToEmbedded(t *testing.T) {
	b, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Produce: []string{queue.TopicPageviews},
		Read: []string{queue.TopicPageviews, queue.TopicEquivs, queue.TopicRejected}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	own, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Dialer: b.Dialer()})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	status, _, errs := runCommand(t, "generate", "--events", "1000", "--edges", "0.01", "--kafka", b.Addr())
	if status != exitDone || !strings.Contains(errs, "equiv edges were not sent") {
		t.Fatalf("status %d, %s", status, errs)
	}
	edges, err := own.EdgeLog(t.Context())
	if err != nil || edges.End != 0 {
		t.Errorf("edges up to %d, %v", edges.End, err)
	}
}

// brokenPipe is a standard output whose reader has gone.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, fmt.Errorf("write: %w", syscall.EPIPE) }

func TestGenerateBrokenPipe(t *testing.T) {
	var errs bytes.Buffer
	if status := Run(t.Context(), []string{"generate", "--events", "100000"}, strings.NewReader(""), brokenPipe{}, &errs); status != exitDone || errs.Len() > 0 {
		t.Errorf("status %d: %s", status, errs.String())
	}
}

func TestGenerateUsage(t *testing.T) {
	for _, args := range []string{
		"", "--events -1", "--events x", "--events 1 --format csv", "--events 1 --late 1.5", "--events 1 --late -1", "--events 1 --urls 0",
		"--events 1 --start yesterday", "--events 1 --kafka x:1 --format combined", "--events 1 --kafka x:1 --edges-out f",
		"--events 1 --format combined --edges-out f", "--events 1 more",
	} {
		status, out, errs := runCommand(t, append([]string{"generate"}, strings.Fields(args)...)...)
		if status != exitUsage || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("generate %s: status %d, %s", args, status, errs)
		}
	}
}
