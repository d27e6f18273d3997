package crash

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
	"speedlayer/sim/generate"
	"speedlayer/view"
)

// traffic makes the records of a world: realistic pageviews with late ones and
// duplicates, and among them what has gone wrong.
type traffic struct {
	rng   *rand.Rand
	gen   *generate.Generator
	event generate.Event
	crowd bool // many persons on one page, so that cells become sketches
}

func newTraffic(rng *rand.Rand, crowd bool) *traffic {
	c := generate.Config{Events: 100_000, Seed: rng.Uint64(), URLs: 15, Persons: 60, Domains: 3,
		Start: start, Span: 100_000 * 10 * time.Second, Duplicates: 0.1, Late: 0.1, Edges: -1}
	if crowd {
		c.Persons = 100_000
	}
	g, err := generate.New(c)
	if err != nil {
		panic(err) // the shape is ours
	}
	return &traffic{rng: rng, gen: g, crowd: crowd}
}

var start = time.Date(2026, 3, 7, 21, 0, 0, 0, time.UTC)

// append appends n records. Log-append time moves on by seconds or minutes.
func (t *traffic) append(to *topic, n int) {
	for range n {
		t.gen.Next(&t.event)
		// Only the generator's delays are used: arrivals are ours.
		delay := t.event.Arrival - t.event.TS
		to.mu.Lock()
		to.now += t.rng.Int64N(20_000)
		now := to.now
		to.mu.Unlock()
		t.event.TS = now - delay
		part := record.PartitionOf(t.event.Person, int32(len(to.parts)))
		value := t.event.AppendJSON(nil)
		var skip int64
		if t.crowd {
			value = fmt.Appendf(nil, `{"nonce":"%s","person":"%s","url":"https://crowd.example/","ts":%d}`, t.event.Nonce, t.event.Person, start.UnixMilli())
		}
		switch t.rng.IntN(40) {
		case 0, 1: // in a wrong partition
			part = t.rng.Int32N(int32(len(to.parts)))
		case 2:
			value = fmt.Appendf(nil, `{"person":%q,"url":%q,"ts":%d}`, t.event.Person, t.event.URL, t.event.TS)
		case 3: // the same without a nonce, in a wrong partition
			value = fmt.Appendf(nil, `{"person":%q,"url":%q,"ts":%d}`, t.event.Person, t.event.URL, t.event.TS)
			part = t.rng.Int32N(int32(len(to.parts)))
		case 4:
			value = t.broken(now)
		case 5:
			skip = t.rng.Int64N(4)
		case 6:
			if t.rng.IntN(4) == 0 { // one that cannot be read, and one that counts for nothing
				to.append(part, 0, &kgo.Record{Value: []byte("{"), Headers: markerHeader})
				to.append(part, 0, &kgo.Record{Value: record.Marker{}.Append(nil), Headers: markerHeader})
			}
		}
		to.append(part, skip, &kgo.Record{Key: t.event.Person, Value: value})
		t.event = generate.Event{} // its buffers are the record's now
	}
}

var markerHeader = []kgo.RecordHeader{{Key: record.MarkerHeader, Value: []byte("1")}}

// broken is a record that must be rejected.
func (t *traffic) broken(now int64) []byte {
	switch t.rng.IntN(4) {
	case 0:
		return []byte("no json")
	case 1:
		return []byte(`{"nonce":"n","person":"p","url":"ftp://foo.com/","ts":1000000000000}`)
	case 2:
		return fmt.Appendf(nil, `{"nonce":"n","person":"p","url":"https://foo.com/","ts":%d}`, now+25*3600*1000)
	}
	return []byte(`{"nonce":"","person":"p","url":"https://foo.com/","ts":1000000000000}`)
}

// settings are small, so that memories are full and evict.
func randomSettings(rng *rand.Rand) record.Settings {
	s := view.Defaults()
	s.DedupeWindow = int64(1+rng.IntN(120)) * 60_000
	s.DedupeEntries = 1 + rng.IntN(200)
	v := view.DefaultSettings()
	v.VisitsWindow = int64(1+rng.IntN(300)) * 60_000
	v.VisitsEntries = 1 + rng.IntN(100)
	s.Operator = v.String()
	return s
}
