package crash

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/verify/oracle"
)

const topicID = "00112233445566778899aabbccddeeff"

// topic is the log. It loses nothing; records stay the same once appended, so
// copies share them.
type topic struct {
	mu           *sync.Mutex // also guards what a cut copies together with the log
	parts        []partition
	now          int64           // log-append time, ms
	dead         map[string]bool // sources of dead letters
	incarnations uint32          // how often it lost its end
}

type partition struct {
	recs  []*kgo.Record
	start int64 // first offset that readers still find
	next  int64
}

func newTopic(partitions int, now int64) *topic {
	return &topic{mu: new(sync.Mutex), parts: make([]partition, partitions), now: now, dead: map[string]bool{}}
}

// copy is the log as it is now. mu is held.
func (t *topic) copy() *topic {
	c := &topic{mu: new(sync.Mutex), parts: slices.Clone(t.parts), now: t.now, dead: make(map[string]bool, len(t.dead)), incarnations: t.incarnations}
	for i := range c.parts {
		c.parts[i].recs = slices.Clip(c.parts[i].recs)
	}
	for s := range t.dead {
		c.dead[s] = true
	}
	return c
}

// append appends a record, skip offsets after the last.
func (t *topic) append(part int32, skip int64, r *kgo.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.parts[part]
	r.Topic, r.Partition, r.Offset, r.Timestamp = queue.TopicPageviews, part, p.next+skip, time.UnixMilli(t.now)
	p.recs = append(p.recs, r)
	p.next = r.Offset + 1
}

// from is what lies at or above an offset.
func (t *topic) from(part int32, offset int64) []*kgo.Record {
	recs := t.parts[part].recs
	return recs[sort.Search(len(recs), func(i int) bool { return recs[i].Offset >= offset }):]
}

// trim drops what lies below an offset.
func (t *topic) trim(part int32, offset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts[part].start = max(t.parts[part].start, offset)
}

// cutEnd loses the last n records of a partition, as lost power may.
func (t *topic) cutEnd(part int32, n int) {
	p := &t.parts[part]
	p.next = p.recs[len(p.recs)-n].Offset
	p.recs = p.recs[: len(p.recs)-n : len(p.recs)-n]
	t.incarnations++
}

func (t *topic) info() queue.TopicInfo {
	i := queue.TopicInfo{ID: topicID, Partitions: int32(len(t.parts))}
	for _, p := range t.parts {
		i.Starts, i.Ends = append(i.Starts, p.start), append(i.Ends, p.next)
	}
	return i
}

// AppendMarker implements catalog.Log.
func (t *topic) AppendMarker(_ context.Context, part int32, value []byte) error {
	t.append(part, 0, &kgo.Record{Value: value, Headers: []kgo.RecordHeader{{Key: record.MarkerHeader, Value: []byte("1")}}})
	return nil
}

// Send implements microbatch.Sink.
func (t *topic) Send(_ context.Context, out []microbatch.Outgoing) error {
	for _, o := range out {
		if o.Dead {
			t.mu.Lock()
			t.dead[o.Source.String()] = true
			t.mu.Unlock()
			continue
		}
		t.append(o.Target, 0, &kgo.Record{Key: o.Record.Key, Value: o.Value,
			Headers: []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: []byte(o.Source.String())}}})
	}
	return nil
}

// oracleRecord is a record as the oracle reads it.
func oracleRecord(r *kgo.Record) oracle.Record {
	o := oracle.Record{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		o.Headers = append(o.Headers, oracle.Header{Name: h.Key, Value: h.Value})
	}
	return o
}
