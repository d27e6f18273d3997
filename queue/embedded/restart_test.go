package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
)

// killed copies a broker's directory while it runs: what a kill leaves behind.
func killed(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// contents is all that a broker's log says, record by record.
func contents(t *testing.T, dir string) (text string) {
	t.Helper()
	b, c := open(t, dir)
	defer b.Close()
	defer c.Close()
	return recordsOf(t, c)
}

// recordsOf is contents of a broker that runs.
func recordsOf(t *testing.T, c *queue.Client) (text string) {
	t.Helper()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Sprintln(info.ID, info.Starts, info.Ends)
	for part, end := range info.Ends {
		err := c.ReadAll(t.Context(), int32(part), info.Starts[part], end, func(r *kgo.Record) error {
			text += fmt.Sprintln(part, r.Offset, r.LeaderEpoch, r.Timestamp.UnixMilli(), string(r.Key), string(r.Value))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// After a kill, with or without a torn batch at the end, the log is what it is
// after a graceful stop, and appends go on after it; again and again.
func TestRestartAfterKill(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	dir := t.TempDir()
	acknowledged := 0
	for round := range 4 {
		b, c := open(t, dir)
		for range 5 {
			var messages []queue.Message
			for range 1 + r.IntN(40) {
				messages = append(messages, queue.Message{Person: fmt.Appendf(nil, "p%d", r.IntN(50)), Value: bytes.Repeat([]byte{'x'}, r.IntN(300))})
			}
			if _, err := c.AppendSync(t.Context(), messages); err != nil {
				t.Fatal(err)
			}
			acknowledged += len(messages)
		}
		// What was appended after a torn batch is read from where it lies.
		if n := strings.Count(recordsOf(t, c), "\n") - 1; n != acknowledged {
			t.Fatalf("round %d: the log has %d records; %d were acknowledged", round, n, acknowledged)
		}
		next := killed(t, dir)
		c.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if round%2 == 1 {
			tear(t, r, next)
		}
		got, want := strings.Split(contents(t, killed(t, next)), "\n"), strings.Split(contents(t, dir), "\n")
		// Both could have lost the same: what was acknowledged decides.
		if records := len(got) - 2; records != acknowledged { // a head, and the end of the last line
			t.Fatalf("round %d: after a kill the log has %d records; %d were acknowledged", round, records, acknowledged)
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("round %d: after a kill the log has %d lines, %.200q ..., not %d, %.200q ...",
					round, len(got), got[i:], len(want), want[i:])
			}
		}
		dir = next
	}
}

// tear appends part of a batch to every last segment, or bytes that are none.
func tear(t *testing.T, r *rand.Rand, dir string) {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(dir, "log", partitionsDir, "*"))
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	for _, part := range parts {
		segments, err := segmentsOf(part)
		if err != nil {
			t.Fatal(err)
		}
		if len(segments) == 0 {
			continue
		}
		path := segmentPath(part, segments[len(segments)-1].BaseOffset, ".dat")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		whole := 12 + int(binary.BigEndian.Uint32(b[8:]))
		torn := bytes.Clone(b[:r.IntN(whole+1)])
		if len(torn) == whole {
			torn[whole-1]++ // its sum is wrong
		}
		if err := os.WriteFile(path, append(b, torn...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What is written for the broker is what it takes: it does not go the slow way.
func TestRestartStateFits(t *testing.T) {
	dir := t.TempDir()
	b, c := open(t, dir)
	if _, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte("ann"), Value: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	left := killed(t, dir)
	c.Close()
	b.Close()
	if _, err := repairAll(filepath.Join(left, "log")); err != nil {
		t.Fatal(err)
	}
	ours, err := filepath.Glob(filepath.Join(left, "log", partitionsDir, "*", brokerSnapshot))
	if err != nil || len(ours) != 1 {
		t.Fatalf("states of %v, %v: want one", ours, err)
	}
	rel, _ := filepath.Rel(left, ours[0])
	for _, path := range []string{ours[0], filepath.Join(dir, rel)} {
		if err := (&repair{}).run(filepath.Dir(path), true, true); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", b)
		if path != ours[0] && !bytes.Contains(b, []byte("max_timestamp")) {
			t.Error("the broker's own state, of a graceful stop, was replaced")
		}
	}
}

// The broker takes the place of its next append from the state, and notices only
// when it must read that from disk again: so file and state are looked at here.
func TestTornTailIsCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	b, c := open(t, dir)
	for n := range 20 {
		if _, err := c.AppendSync(t.Context(), []queue.Message{{Person: fmt.Append(nil, n), Value: []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
	}
	left := killed(t, dir)
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	whole := map[string][]segmentState{}
	parts, err := filepath.Glob(filepath.Join(left, "log", partitionsDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if whole[part], err = segmentsOf(part); err != nil {
			t.Fatal(err)
		}
	}
	tear(t, rand.New(rand.NewPCG(seed, 4)), left)
	if _, err := repairAll(filepath.Join(left, "log")); err != nil {
		t.Fatal(err)
	}
	for part, want := range whole {
		if got, err := segmentsOf(part); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: files are %v, not %v, %v", part, got, want, err)
		}
		if len(want) == 0 {
			continue
		}
		text, err := os.ReadFile(filepath.Join(part, brokerSnapshot))
		if err != nil {
			t.Fatal(err)
		}
		var state partitionState
		if err := json.Unmarshal(text, &state); err != nil || !slices.Equal(state.Segments, want) {
			t.Errorf("%s: the state has %v, not %v, %v", part, state.Segments, want, err)
		}
	}
}
