package microbatch

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// However many records are rejected, there is a line in ten seconds, which has
// the offset, the reason, and how many there were.
func TestRejectsAreLogged(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	r := &rejects{topic: "pageviews", log: slog.New(slog.NewTextHandler(&out, nil)).With("partition", 3), now: func() time.Time { return now }}
	for offset := range int64(1000) {
		r.add(offset, errors.New("ts is missing"))
	}
	now = now.Add(rejectsEvery)
	r.add(1000, errors.New("url is missing"))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), out.String())
	}
	for i, want := range []string{`partition=3 topic=pageviews offset=0 reason="ts is missing" since_last_line=1`,
		`partition=3 topic=pageviews offset=1000 reason="url is missing" since_last_line=1000`} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("%s\nwant %s", lines[i], want)
		}
	}
}
