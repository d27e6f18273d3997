package archive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"speedlayer/batch/archive"
	"speedlayer/internal/objects"
	"speedlayer/queue"
	"speedlayer/store"
)

func TestCoversNamesTheFirstHole(t *testing.T) {
	file := func(from, to int64) archive.File { return archive.File{From: from, To: to, Rows: to - from} }
	m := &archive.Manifest{Shards: []archive.Log{{Epoch: 1, Partition: 2, Start: 10, End: 60,
		Files: []archive.File{file(10, 20), file(20, 30), file(40, 50)}, Lost: []archive.Lost{{From: 30, To: 40, Reason: "gone"}}}}}
	for _, c := range []struct {
		epoch  uint32
		offset int64
		want   string // "": covered
	}{
		{1, 10, ""}, {1, 5, ""}, {1, 30, ""}, {1, 25, ""},
		{1, 31, "[30, 31) are not in it, and are lost: gone"}, {1, 45, "[30, 40) are not in it, and are lost: gone"}, {1, 55, "[30, 40)"},
		{0, 7, "epoch 0 partition 2 has a hole: offsets [0, 7) are not in it"}, {0, 0, ""},
	} {
		err := m.Covers([]store.VectorEntry{{Epoch: c.epoch, Partition: 2, Offset: c.offset}})
		hole := new(archive.HoleError)
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &hole) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("up to %d of epoch %d: %v, want %q", c.offset, c.epoch, err, c.want)
		}
	}
	m.Shards[0].Files = m.Shards[0].Files[:2]
	if err := m.Covers([]store.VectorEntry{{Epoch: 1, Partition: 2, Offset: 31}}); err == nil {
		t.Error("what is after the last file is said to be there")
	}
	m.Shards[0].Files = m.Shards[0].Files[1:]
	if err := m.Covers([]store.VectorEntry{{Epoch: 1, Partition: 2, Offset: 12}}); err == nil || !strings.Contains(err.Error(), "[10, 12)") {
		t.Errorf("a hole at the start: %v", err)
	}
}

// nextEpoch begins a log epoch, as EnsureEpoch would.
func (l *fakeLog) nextEpoch(topicID string, starts ...int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.epochs = append(l.mu.epochs, store.Epoch{Number: uint32(len(l.mu.epochs)), TopicID: topicID, Partitions: int32(len(starts)), Starts: starts})
	for len(l.mu.records) < len(starts) {
		l.mu.records, l.mu.starts = append(l.mu.records, nil), append(l.mu.starts, 0)
	}
}

func (l *fakeLog) views(partition int32, n int) {
	for i := range n {
		l.view(partition, int64(i), personOf(partition, int32(len(l.mu.records)), i%3), "https://foo.com/a")
	}
}

func archiveAll(t *testing.T, o objects.Store, l *fakeLog) *archive.Manifest {
	t.Helper()
	m, err := newArchiver(t, o, l).Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ends returns [start, end) of each shard, and what is lost.
func ends(m *archive.Manifest) string {
	var all []string
	for _, l := range m.Shards {
		text := fmt.Sprintf("%d/%d [%d,%d)", l.Epoch, l.Partition, l.Start, l.End)
		for _, h := range l.Lost {
			text += fmt.Sprintf(" without [%d,%d)", h.From, h.To)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// Records above a commit are not archived: the next epoch may get them.
func TestEpochs(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(l *fakeLog)
		want string
	}{
		{"more partitions", func(l *fakeLog) {
			l.views(0, 5) // above the commit at 20
			l.nextEpoch("t0", 20, 0)
			l.commit()
		}, "0/0 [0,20); 1/0 [20,25); 1/1 [0,0)"},
		{"topic recreated", func(l *fakeLog) {
			l.mu.records[0] = nil
			l.nextEpoch("t1", 0)
			l.views(0, 3)
			l.commit()
		}, "0/0 [0,20) without [10,20); 1/0 [0,3)"},
		{"the log lost its end", func(l *fakeLog) {
			l.mu.records[0] = l.mu.records[0][:15] // and new ones take the offsets
			l.nextEpoch("t0", 15)
			l.views(0, 9)
			l.commit()
		}, "0/0 [0,20) without [15,20); 1/0 [15,24)"},
		{"the log lost its beginning", func(l *fakeLog) {
			l.mu.records[0], l.mu.starts[0] = l.mu.records[0][14:], 14
		}, "0/0 [0,20) without [10,14)"},
		{"the log lost a part in the middle", func(l *fakeLog) {
			l.hole = &queue.ErrLogHole{From: 12, To: 15, Reason: "a file of the log was damaged"}
		}, "0/0 [0,20) without [12,15)"},
		{"the log lost a part that the archive has, and a little more", func(l *fakeLog) {
			l.hole = &queue.ErrLogHole{From: 7, To: 11, Reason: "a file of the log was damaged"}
		}, "0/0 [0,20) without [10,11)"},
		{"above the commit", func(l *fakeLog) { l.views(0, 5) }, "0/0 [0,20)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLog(1)
			o := openFolder(t)
			l.views(0, 10)
			l.commit()
			archiveAll(t, o, l)
			l.views(0, 10)
			l.commit()
			c.do(l)
			m := archiveAll(t, o, l)
			if have := ends(m); have != c.want {
				t.Errorf("%s\nwant %s", have, c.want)
			}
			err := m.Covers(l.vector())
			if hole := new(archive.HoleError); strings.Contains(c.want, "without") != errors.As(err, &hole) || err != nil && hole.Lost == "" {
				t.Errorf("covers: %v", err)
			}
			if err != nil {
				if _, err := newArchiver(t, o, l).ArchiveTo(t.Context(), l.vector()); err == nil {
					t.Error("ArchiveTo does not say what is lost")
				}
			}
		})
	}
}

// An archiver that is given a vector waits until the commits reach it.
func TestArchiveToWaits(t *testing.T) {
	l := newLog(1)
	l.views(0, 10)
	a := newArchiver(t, newMemory(), l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := a.ArchiveTo(ctx, []store.VectorEntry{{Offset: 10}})
		done <- err
	}()
	if _, err := a.Archive(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	l.commit()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Of two archivers of one log, one works and the other stands by. When the first
// ends, the other continues.
func TestRunStandsBy(t *testing.T) {
	l := newLog(1)
	o := newMemory()
	var said lockedBuffer
	change := func(c *archive.Config) {
		c.RollTime, c.Logger = 20*time.Millisecond, slog.New(slog.NewTextHandler(&said, nil))
	}
	first, second := newArchiver(t, o, l, change), newArchiver(t, o, l, change)
	ctx, cancel := context.WithCancel(t.Context())
	firstCtx, stopFirst := context.WithCancel(ctx)
	done := make(chan struct{}, 2)
	go func() { first.Run(firstCtx); done <- struct{}{} }()
	go func() { second.Run(ctx); done <- struct{}{} }()
	defer func() { cancel(); <-done; <-done }()
	covered := func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			s, err := archive.New(o).Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.Covers(l.vector()) == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("not archived: %v\n%s", s.Covers(l.vector()), said.String())
			}
		}
	}
	for range 20 {
		l.views(0, 5)
		l.commit()
		covered()
	}
	stopFirst()
	l.views(0, 5)
	l.commit()
	covered()
	checkWhole(t, o, l)
}

// A file that is truncated, or that differs from the manifest, is an error and never
// leads to fewer records.
func TestTornFiles(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(path string, text []byte) error
	}{
		{"cut off", func(path string, text []byte) error { return os.WriteFile(path, text[:len(text)/2], 0o600) }},
		{"emptied", func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) }},
		{"another's end", func(path string, text []byte) error {
			copy(text[len(text)-100:], make([]byte, 92))
			return os.WriteFile(path, text, 0o600)
		}},
		{"gone", func(path string, _ []byte) error { return os.Remove(path) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			o, err := objects.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			l := newLog(1)
			l.views(0, 100)
			l.commit()
			m := archiveAll(t, o, l)
			path := filepath.Join(dir, filepath.FromSlash(m.Shards[0].Files[0].Name))
			text, err := os.ReadFile(path)
			if err == nil {
				err = c.spoil(path, text)
			}
			if err != nil {
				t.Fatal(err)
			}
			s, err := archive.New(o).Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			err = s.Scan(t.Context(), store.Shard{}, 0, 100, archive.Events, func(*archive.Columns) error { return nil })
			if !errors.Is(err, archive.ErrCorrupt) {
				t.Errorf("scan: %v", err)
			}
			if err := s.CheckFiles(t.Context(), func(archive.File) {}); err == nil {
				t.Error("the check finds nothing")
			}
		})
	}
}

// A file that a killed process left half written is removed. A file that another
// process is writing is not.
func TestFolderSweeps(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, ".tmp", "1-1")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left is there: %v", err)
	}
	if err := o.Create(t.Context(), "a/b", &opensMeanwhile{t: t, dir: dir}, 4); err != nil {
		t.Errorf("another opened the folder while a file was written: %v", err)
	}
}

// opensMeanwhile is a text that opens the folder when it is read.
type opensMeanwhile struct {
	t   *testing.T
	dir string
	at  int
}

func (o *opensMeanwhile) Read(p []byte) (int, error) {
	if o.at == 0 {
		if _, err := objects.Open(o.dir); err != nil {
			o.t.Error(err)
		}
	}
	n := copy(p, "text"[o.at:])
	o.at += n
	if n == 0 {
		return 0, errEOF
	}
	return n, nil
}
