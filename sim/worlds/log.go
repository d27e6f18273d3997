package worlds

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

const minute = int64(time.Minute / time.Millisecond)

// partition is the log of one partition, with what the oracle has for it.
type partition struct {
	shard   store.Shard
	records []*kgo.Record
	start   int64 // what lies below is gone
	next    int64
	oracle  *oracle.Oracle

	counts     map[int64][]byte          // commit record by offset
	rerouted   int                       // of the oracle's Rerouted, how many are in reroutedAt
	reroutedAt map[int64]oracle.Rerouted // by offset
	dead       int                       // likewise of its DeadLetters
	deadAt     map[int64]bool            // offsets of dead letters
	buried     map[int64]bool            // offsets whose dead letter was acknowledged
	accepted   map[record.Source]int     // rerouted records that were not ignored here
	sent       map[record.Source]bool    // rerouted records that were appended here
	states     map[int64][]byte          // operator state by offset
	begins     map[uint32]int64          // where a generation begins
}

func (w *world) newPartition(e store.Epoch, part int32, s oracle.Settings) *partition {
	return &partition{
		shard: store.Shard{Epoch: e.Number, Partition: part},
		oracle: oracle.New(oracle.Options{Epoch: e.Number, Partition: part, Partitions: e.Partitions,
			Generation: e.Generation, Settings: s, Histories: true}),
		counts: map[int64][]byte{}, reroutedAt: map[int64]oracle.Rerouted{}, deadAt: map[int64]bool{},
		buried: map[int64]bool{}, accepted: map[record.Source]int{}, sent: map[record.Source]bool{}, states: map[int64][]byte{}, begins: map[uint32]int64{},
	}
}

// end is the offset up to which the log can be committed.
func (p *partition) end() int64 { return p.oracle.Next() }

// append adds a record, and lets the oracle classify it.
func (w *world) append(p *partition, key, value []byte, headers ...kgo.RecordHeader) {
	w.tick()
	r := &kgo.Record{Topic: queue.TopicPageviews, Partition: p.shard.Partition, Offset: p.next,
		Key: key, Value: value, Headers: headers, Timestamp: time.UnixMilli(w.now)}
	if n := len(p.records); n > 0 && w.now < p.records[n-1].Timestamp.UnixMilli() {
		w.saw(LogTimeWentBack)
	}
	p.records = append(p.records, r)
	p.next++
	before := p.oracle.Counts()
	p.add(r)
	after := p.oracle.Counts()
	p.counts[p.end()] = after.Append(nil)
	w.note(p, r, before, after)
}

// add hands a record to the oracle, and keeps what it says left the partition.
func (p *partition) add(r *kgo.Record) {
	p.oracle.Add(oracleRecord(r))
	for _, m := range p.oracle.Rerouted()[p.rerouted:] {
		p.reroutedAt[r.Offset] = m
		p.rerouted++
	}
	for range p.oracle.DeadLetters()[p.dead:] {
		p.deadAt[r.Offset] = true
		p.dead++
	}
}

func oracleRecord(r *kgo.Record) oracle.Record {
	headers := make([]oracle.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = oracle.Header{Name: h.Key, Value: h.Value}
	}
	return oracle.Record{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value, Headers: headers}
}

// note keeps what came of a record.
func (w *world) note(p *partition, r *kgo.Record, before, after store.CommitRecord) {
	if w.tracing {
		w.trace("record %v at %d, %s: %s%s %s", p.shard, r.Offset, r.Timestamp.UTC().Format("15:04"), r.Value, headerText(r), verdict(before, after))
	}
	if after.ReroutedIn > before.ReroutedIn && after.ReroutedAgain == before.ReroutedAgain {
		if src, err := record.ParseSource(r.Headers[0].Value); err == nil {
			p.accepted[src]++
		}
	}
	if after.Markers > before.Markers {
		p.begins[after.Generation] = after.GenerationStart
	}
	w.sawIf(MarkerCounted, after.Markers > before.Markers)
	w.sawIf(MarkerIgnored, after.MarkersIgnored > before.MarkersIgnored)
	w.sawIf(SettingsChangedTwice, after.Markers > 1)
	w.sawIf(RecordRerouted, after.ReroutedOut > before.ReroutedOut)
	w.sawIf(RecordReroutedAgain, after.ReroutedAgain > before.ReroutedAgain)
	w.sawIf(RecordRejected, after.Rejected > before.Rejected)
	w.sawIf(Duplicate, after.Duplicates > before.Duplicates)
	w.sawIf(DedupeForgot, after.DedupeEntries < after.Events)
	was, err1 := view.DecodeCounts(before.Operator)
	is, err2 := view.DecodeCounts(after.Operator)
	w.sawIf(VisitsForgot, err1 == nil && err2 == nil && is.VisitEntries < was.VisitEntries)
}

func verdict(before, after store.CommitRecord) string {
	switch {
	case after.Markers > before.Markers:
		return "(a generation begins)"
	case after.MarkersIgnored > before.MarkersIgnored:
		return "(a marker that does not count)"
	case after.ReroutedAgain > before.ReroutedAgain:
		return "(came before)"
	case after.ReroutedOut > before.ReroutedOut:
		return "(to another partition)"
	case after.Rejected > before.Rejected:
		return "(rejected)"
	case after.Duplicates > before.Duplicates:
		return "(a duplicate)"
	}
	return "(an event)"
}

func headerText(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == record.ReroutedHeader {
			return " from " + string(h.Value)
		}
	}
	return ""
}

// read returns up to n records from offset on, as copies that the caller may
// spoil.
func (p *partition) read(offset int64, n int) []*kgo.Record {
	at, _ := slices.BinarySearchFunc(p.records, offset, func(r *kgo.Record, o int64) int { return int(r.Offset - o) })
	var recs []*kgo.Record
	for _, r := range p.records[at:min(at+n, len(p.records))] {
		c := *r
		c.Key, c.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		c.Headers = slices.Clone(r.Headers)
		for i := range c.Headers {
			c.Headers[i].Value = bytes.Clone(c.Headers[i].Value)
		}
		recs = append(recs, &c)
	}
	return recs
}

// spoil overwrites records that were given back: whoever still looks at them
// finds rubbish.
func spoil(recs []*kgo.Record) {
	for _, r := range recs {
		for i := range r.Value {
			r.Value[i] = '?'
		}
		for i := range r.Key {
			r.Key[i] = '?'
		}
	}
}
