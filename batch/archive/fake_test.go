package archive_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch/archive"
	"speedlayer/event"
	"speedlayer/internal/objects"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// fakeLog is a log, with the answers of a store about it, in memory.
type fakeLog struct {
	hole *queue.ErrLogHole // a hole in the log; nil: none
	mu   struct {
		sync.Mutex
		epochs  []store.Epoch
		commits map[store.Shard]int64
		records [][]*kgo.Record // by partition; record i is the i-th that is still there
		starts  []int64
		edges   []*kgo.Record
		edgeID  string
	}
}

func newLog(partitions int32) *fakeLog {
	l := new(fakeLog)
	l.mu.commits = map[store.Shard]int64{}
	l.mu.records, l.mu.starts, l.mu.edgeID = make([][]*kgo.Record, partitions), make([]int64, partitions), "e0"
	l.mu.epochs = []store.Epoch{{Number: 0, TopicID: "t0", Partitions: partitions, Starts: make([]int64, partitions)}}
	return l
}

var day0 = time.Date(2026, 11, 24, 22, 0, 0, 0, time.UTC).UnixMilli()

// add appends a record; at is its timestamp in ms after day0. It returns its offset.
func (l *fakeLog) add(partition int32, at int64, key, value []byte, headers ...kgo.RecordHeader) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	offset := l.mu.starts[partition] + int64(len(l.mu.records[partition]))
	l.mu.records[partition] = append(l.mu.records[partition], &kgo.Record{Topic: queue.TopicPageviews, Partition: partition,
		Offset: offset, Key: key, Value: value, Headers: headers, Timestamp: time.UnixMilli(day0 + at)})
	return offset
}

// commit commits everything there is now.
func (l *fakeLog) commit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.mu.epochs[len(l.mu.epochs)-1]
	for p := range l.mu.records {
		l.mu.commits[store.Shard{Epoch: e.Number, Partition: int32(p)}] = l.mu.starts[p] + int64(len(l.mu.records[p]))
	}
}

func (l *fakeLog) vector() (v []store.VectorEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, o := range l.mu.commits {
		v = append(v, store.VectorEntry{Epoch: s.Epoch, Partition: s.Partition, Offset: o})
	}
	return v
}

func (l *fakeLog) Epochs(context.Context) ([]store.Epoch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]store.Epoch(nil), l.mu.epochs...), nil
}

func (l *fakeLog) Commit(_ context.Context, s store.Shard) (store.Commit, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o, ok := l.mu.commits[s]
	return store.Commit{Offset: o}, ok, nil
}

func (l *fakeLog) ReadAll(_ context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	l.mu.Lock()
	recs, start := l.mu.records[partition], l.mu.starts[partition]
	l.mu.Unlock()
	if from < start {
		return &queue.ErrLogStart{Offset: from, Start: start}
	}
	if h := l.hole; h != nil && h.From < to && from < h.To {
		if err := give(recs, start, from, max(from, h.From), fn); err != nil {
			return err
		}
		return &queue.ErrLogHole{Partition: partition, From: max(from, h.From), To: h.To, Reason: h.Reason}
	}
	return give(recs, start, from, to, fn)
}

func (l *fakeLog) EdgeLog(context.Context) (queue.EdgeLog, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return queue.EdgeLog{ID: l.mu.edgeID, End: int64(len(l.mu.edges))}, nil
}

func (l *fakeLog) ReadEdges(_ context.Context, from, to int64, fn func(*kgo.Record) error) error {
	l.mu.Lock()
	recs := l.mu.edges
	l.mu.Unlock()
	return give(recs, 0, from, to, fn)
}

// give passes copies whose bytes are overwritten after the call, because the queue
// reuses its memory too.
func give(recs []*kgo.Record, start, from, to int64, fn func(*kgo.Record) error) error {
	for o := from; o < to; o++ {
		r := recs[o-start]
		if r == nil {
			continue // a gap in the offsets
		}
		c := *r
		c.Key, c.Value = clone(r.Key), clone(r.Value)
		if err := fn(&c); err != nil {
			return err
		}
		spoil(c.Key)
		spoil(c.Value)
	}
	return nil
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func spoil(b []byte) {
	for i := range b {
		b[i] = 'X'
	}
}

func (l *fakeLog) edge(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.edges = append(l.mu.edges, &kgo.Record{Topic: queue.TopicEquivs, Offset: int64(len(l.mu.edges)), Key: []byte("k"), Value: []byte(value),
		Timestamp: time.UnixMilli(day0)})
}

// view appends an ordinary pageview of a person, in whichever partition it belongs.
func (l *fakeLog) view(partition int32, at int64, person, url string) int64 {
	return l.viewWith(partition, at, person, url, fmt.Sprintf("%s-%d", person, at))
}

func (l *fakeLog) viewWith(partition int32, at int64, person, url, nonce string) int64 {
	pv := event.Pageview{Nonce: []byte(nonce), HasNonce: true, Person: []byte(person), URL: []byte(url), TS: day0 + at}
	return l.add(partition, at, []byte(person), event.AppendCompact(nil, &pv))
}

// personOf finds a person that belongs to a partition.
func personOf(partition, partitions int32, n int) string {
	for i := 0; ; i++ {
		person := fmt.Sprintf("u%d-%d", n, i)
		if record.PartitionOf([]byte(person), partitions) == partition {
			return person
		}
	}
}

func marker(generation uint32) ([]byte, kgo.RecordHeader) {
	return record.Marker{Generation: generation, Run: true}.Append(nil), kgo.RecordHeader{Key: record.MarkerHeader, Value: []byte("1")}
}

func openFolder(t testing.TB) objects.Store {
	t.Helper()
	o, err := objects.Open("file://" + t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

func newArchiver(t testing.TB, o objects.Store, l *fakeLog, change ...func(*archive.Config)) *archive.Archiver {
	t.Helper()
	cfg := archive.Config{Objects: o, Source: l, Commits: l, TempDir: t.TempDir()}
	for _, c := range change {
		c(&cfg)
	}
	a, err := archive.NewArchiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}
