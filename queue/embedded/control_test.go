package embedded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/queue"
)

// controlFiles are the control files of a log that was stopped, and of its copy.
func controlFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	for _, pattern := range []string{"*.json", "log/*.json", "log/*.log", "log/partitions/*/*.json"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			rel, err := filepath.Rel(dir, f)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, rel)
		}
	}
	if len(files) < 8 {
		t.Fatalf("only %q", files)
	}
	return files
}

// Whatever becomes of one control file, of a log that was stopped gracefully or killed,
// the broker starts, and the log is as it was: the id of the topic, each record at its
// offset, and both ends. The log of the process names a file that was damaged.
func TestDamagedControlFiles(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	l := makeLog(t, r)
	id := topicID(t, l.stopped, l.killed)
	for state, from := range map[string]string{"stopped": l.stopped, "killed": l.killed} {
		for _, file := range controlFiles(t, from) {
			for _, how := range []string{"flipped", "cut", "empty", "missing"} {
				if strings.HasSuffix(file, "snapshot.json") && r.IntN(8) > 0 {
					continue // of each partition the same
				}
				what := fmt.Sprintf("seed %d, %s, %s %s", seed, state, file, how)
				dir := copyOf(t, from)
				if !damageFileBy(t, filepath.Join(dir, file), how, r) {
					continue
				}
				var log bytes.Buffer
				b, err := Start(Config{Dir: dir, Partitions: 2, segment: 3000, Trusted: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Partitions: 2})
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				info, err := c.Info(t.Context())
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if info.ID != id || fmt.Sprint(info.Ends, info.Starts, info.Stable) != fmt.Sprint(l.ends, []int64{0, 0}, l.ends) {
					t.Errorf("%s: topic %s from %v to %v, stable up to %v: want %s up to %v\n%s", what, info.ID, info.Starts, info.Ends, info.Stable, id, l.ends, &log)
				}
				if got := recordsAt(t, b, c); !maps.Equal(got, l.records) {
					t.Errorf("%s: %d records, want %d", what, len(got), len(l.records))
				}
				c.Close()
				if err := b.Close(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
	}
}

// The broker also starts if a file is JSON of the wrong shape, and on the same port,
// which the failed attempt must have released.
func TestUnreadableControlFiles(t *testing.T) {
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := port.Addr().String()
	_ = port.Close()
	dir := filepath.Join(t.TempDir(), "queue")
	b, err := Start(Config{Dir: dir, Partitions: 2, Trusted: true, Listen: addr})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"seq_windows.json":    `{"version":1,"windows":[{"offsets":[0.0]}]}`,
		"quotas.json":         `{"quotas":"x"}`,
		"broker_configs.json": `{"configs":[1]}`,
		"acls.json":           `{"acls":7}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "log", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	b, err = Start(Config{Dir: dir, Partitions: 2, Trusted: true, Listen: addr, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, name := range []string{"seq_windows.json", "quotas.json", "broker_configs.json", "acls.json"} {
		if !strings.Contains(log.String(), name) {
			t.Errorf("the log does not name %s:\n%s", name, &log)
		}
	}
	c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// damageFileBy reports whether there was anything to damage.
func damageFileBy(t *testing.T, path, how string, r *rand.Rand) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return false
	}
	switch how {
	case "missing":
		err = os.Remove(path)
	case "empty":
		err = os.WriteFile(path, nil, 0o600)
	case "cut":
		err = os.WriteFile(path, text[:r.IntN(len(text))], 0o600)
	default:
		text[r.IntN(len(text))] ^= 1 << r.IntN(8)
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "queue")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// topicID is the id in the copies of the topics, which both states of a log have.
func topicID(t *testing.T, stopped, killed string) (id string) {
	t.Helper()
	for _, dir := range []string{stopped, killed} {
		b, err := Start(Config{Dir: copyOf(t, dir), Trusted: true})
		if err != nil {
			t.Fatal(err)
		}
		c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Partitions: 2})
		if err != nil {
			t.Fatal(err)
		}
		info, err := c.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if id != "" && id != info.ID {
			t.Fatalf("the topic is %s, then %s", id, info.ID)
		}
		id = info.ID
	}
	return id
}

// A log of an earlier version has no copy of the topics. If it lost them, the start is
// refused, and the error names the file and the remedy: a broker that begins with other
// topics would write over the log.
func TestLostTopicsAreRejected(t *testing.T) {
	l := makeLog(t, rand.New(rand.NewPCG(1, 1)))
	for _, how := range []string{"cut", "empty", "missing"} {
		dir := copyOf(t, l.killed)
		damageFileBy(t, filepath.Join(dir, "log", topicsFile), how, rand.New(rand.NewPCG(2, 2)))
		if err := os.Remove(filepath.Join(dir, controlFile)); err != nil {
			t.Fatal(err)
		}
		b, err := Start(Config{Dir: dir, Trusted: true})
		if err == nil {
			_ = b.Close()
			t.Errorf("%s: the broker started", how)
		} else if text := err.Error(); !strings.Contains(text, topicsFile) || !strings.Contains(text, "backup") {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// Entries with a wrong checksum are left out, those after them are not; a torn last
// entry is what a kill leaves.
func TestGoodEntries(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	for range 200 {
		var text []byte
		var entries [][]byte
		for i := range 1 + r.IntN(6) {
			data, err := json.Marshal(map[string]int{"n": i, "x": r.IntN(1000)})
			if err != nil {
				t.Fatal(err)
			}
			e := entryOf(data)
			entries, text = append(entries, e), append(text, e...)
		}
		bad := r.IntN(len(entries))
		if r.IntN(2) == 0 {
			torn := text[:len(text)-1-r.IntN(len(entries[len(entries)-1])-4)]
			good, lost := goodEntries(torn)
			if want := bytes.Join(entries[:len(entries)-1], nil); !bytes.Equal(good, want) || lost {
				t.Fatalf("seed %d: torn: %q, lost %v, want %q", seed, good, lost, want)
			}
			continue
		}
		at := len(bytes.Join(entries[:bad], nil)) + 4 + r.IntN(len(entries[bad])-4)
		text[at] ^= 1 << r.IntN(8)
		good, lost := goodEntries(text)
		want := bytes.Join(append(append([][]byte{}, entries[:bad]...), entries[bad+1:]...), nil)
		if !bytes.Equal(good, want) || !lost {
			t.Fatalf("seed %d: flipped: %q, lost %v, want %q", seed, good, lost, want)
		}
	}
}
