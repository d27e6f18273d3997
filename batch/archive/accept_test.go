package archive_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/batch/archive"
	"speedlayer/internal/objects"
	"speedlayer/store"
)

// lossy is an archive of [0, 40) that lacks [10, 14) and [20, 24).
func lossy(t *testing.T) (objects.Store, *fakeLog) {
	t.Helper()
	l, o := newLog(1), openFolder(t)
	for _, cut := range []int{0, 4, 4, 0} {
		l.views(0, 10)
		l.commit()
		l.mu.Lock()
		drop := len(l.mu.records[0]) - 10 + cut
		if cut > 0 {
			l.mu.records[0], l.mu.starts[0] = l.mu.records[0][drop:], l.mu.starts[0]+int64(drop)
		}
		l.mu.Unlock()
		archiveAll(t, o, l)
	}
	return o, l
}

// An accepted loss counts as covered, and reads skip it. The other loss counts only
// after it is accepted too. A range that is not lost cannot be accepted.
func TestAcceptLoss(t *testing.T) {
	o, l := lossy(t)
	accept := func(partition int32, from, to int64) (*archive.Manifest, error) {
		return newArchiver(t, o, l).AcceptLoss(t.Context(), store.Shard{Partition: partition}, from, to, "why not", time.UnixMilli(7))
	}
	for _, c := range []struct {
		partition int32
		from, to  int64
		want      string
	}{
		{0, 10, 13, "[10, 13) of epoch 0 partition 0 is none; lost are [10, 14), [20, 24)"},
		{0, 10, 24, "is none"}, {0, 0, 10, "is none"}, {0, 40, 50, "is none"}, {1, 0, 1, "the archive has no"},
	} {
		if _, err := accept(c.partition, c.from, c.to); !errors.Is(err, archive.ErrNoLoss) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("[%d, %d) of partition %d: %v", c.from, c.to, c.partition, err)
		}
	}
	covers := func(m *archive.Manifest, want string) {
		t.Helper()
		switch err := m.Covers(l.vector()); {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("covers: %v, want %q", err, want)
		}
	}
	m, err := accept(0, 20, 24)
	if err != nil {
		t.Fatal(err)
	}
	covers(m, "[10, 14)")
	if m, err = accept(0, 10, 14); err != nil {
		t.Fatal(err)
	}
	covers(m, "")
	if n := m.AcceptedLoss(l.vector()); n != 8 {
		t.Errorf("%d are accepted, want 8", n)
	}
	if n := m.AcceptedLoss([]store.VectorEntry{{Offset: 12}}); n != 2 {
		t.Errorf("%d are accepted below 12, want 2", n)
	}
	again, err := accept(0, 10, 14)
	if err != nil || again.Number != m.Number {
		t.Errorf("accepted again: manifest %d after %d, %v", again.Number, m.Number, err)
	}
	// Archivers continue and keep it.
	l.views(0, 5)
	l.commit()
	m, err = newArchiver(t, o, l).ArchiveTo(t.Context(), l.vector())
	if err != nil || m.AcceptedLoss(l.vector()) != 8 || m.Shards[0].Lost[0].Accepted.Why != "why not" {
		t.Fatalf("after more records: %+v, %v", m, err)
	}
	var read []int64
	s, err := archive.New(o).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Scan(t.Context(), store.Shard{}, 0, 45, archive.Offset, func(c *archive.Columns) error {
		read = append(read, c.Offset...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(read) != 45-8 {
		t.Errorf("%d records are read: %v", len(read), read)
	}
}

// If two accept losses at once, both succeed, and nothing that one accepted is undone.
func TestAcceptLossAtOnce(t *testing.T) {
	o, l := lossy(t)
	var both sync.WaitGroup
	for _, r := range [][2]int64{{10, 14}, {20, 24}} {
		both.Go(func() {
			if _, err := newArchiver(t, o, l).AcceptLoss(t.Context(), store.Shard{}, r[0], r[1], "", time.UnixMilli(7)); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	s, err := archive.New(o).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Covers(l.vector()); err != nil {
		t.Errorf("covers: %v", err)
	}
}
