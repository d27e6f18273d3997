package microbatch

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"speedlayer/queue"
)

// A store that is away for ten minutes costs some lines, in the order of what
// happened: the first fault, sums, and that it is over, when it is for all.
func TestFaultsAreSummedUp(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1000, 0)
	h := newHealth(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), func() time.Time { return now })
	for part := range int32(8) {
		h.begin(part)
		h.loaded(part, 100)
	}
	for range 600 {
		for part := range int32(8) {
			h.failed(part, fmt.Errorf("no route to host"))
		}
		now = now.Add(time.Second)
	}
	r := &Runner{health: h}
	for _, s := range r.States() {
		if s.Position != 100 || s.Fault == nil || !s.Since.Equal(time.Unix(1000, 0)) {
			t.Errorf("state %+v", s)
		}
	}
	for part := range int32(7) {
		h.progressed(part, 101)
	}
	if strings.Contains(log.String(), "again\" after") {
		t.Errorf("one partition still waits: %s", &log)
	}
	h.end(7) // revoked
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if n := len(lines); n < 15 || n > 25 {
		t.Fatalf("%d lines: %s", n, &log)
	}
	if first := lines[0]; first != `level=WARN msg="the store refuses, trying again" partition=0 err="no route to host"` {
		t.Error(first)
	}
	if second := lines[1]; second != `level=WARN msg="the store still refuses" partitions=8 for=30s failures=241 last="no route to host"` {
		t.Error(second)
	}
	if last := lines[len(lines)-1]; last != `level=INFO msg="the store answers again" after=10m0s failures=4800` {
		t.Error(last)
	}
	log.Reset()
	h.failed(0, &queue.ErrUnreadable{Err: errors.New("encoded crc")})
	if !strings.Contains(log.String(), "the queue refuses") {
		t.Errorf("a fault of the queue: %s", &log)
	}
}

// A take-over is one line, when all of its partitions are loaded.
func TestTakeOverIsLogged(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1000, 0)
	h := newHealth(slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	h.assigned([]int32{3, 1, 2})
	for _, part := range []int32{3, 1, 2} {
		h.begin(part)
	}
	now = now.Add(1200 * time.Millisecond)
	h.loaded(3, 7)
	h.end(2)
	if log.Len() > 0 {
		t.Errorf("before the end: %s", &log)
	}
	h.loaded(1, 9)
	h.loaded(1, 9) // another processor of the same partition
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `msg="took over partitions" partitions="[1 3]" took=1.2s`) {
		t.Error(text)
	}
}
