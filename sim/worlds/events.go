package worlds

import (
	"fmt"

	"speedlayer/record"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What clients send: few persons, pages and nonces, so that they meet.

const (
	nonces      = 5
	fewPersons  = 3 // of a partition
	manyPersons = 8
)

// wideURLs are of two domains. narrowURLs are many pages of one, so that the
// cache is full of pages, and those leave it one by one.
var (
	wideURLs   = []string{"https://a.com/", "http://a.com/x", "https://b.com/"}
	narrowURLs = []string{"https://a.com/", "https://a.com/x", "https://a.com/1", "https://a.com/2", "https://a.com/3",
		"https://a.com/4", "https://a.com/5", "https://a.com/6"}
)

// narrow makes a world of one domain, in an hour or two, with a small cache.
func (w *world) narrow() {
	w.urls, w.times, w.ticks = narrowURLs, times[:6], ticks[:2]
	w.slots, w.clientRecords = 8, 2*maxRecords
}

// gather makes a world of many persons on one page, whose sets grow.
func (w *world) gather() {
	w.urls, w.times, w.ticks = wideURLs[:1], times[:2], ticks[:1]
	w.persons, w.clientRecords = persons(int32(len(w.persons)), manyPersons), 2*maxRecords
}

// persons finds some for each partition.
func persons(partitions int32, each int) [][]string {
	found := make([][]string, partitions)
	for n, missing := 0, int(partitions); missing > 0; n++ {
		name := fmt.Sprintf("u%d", n)
		p := record.PartitionOf([]byte(name), partitions)
		if len(found[p]) < each {
			if found[p] = append(found[p], name); len(found[p]) == each {
				missing--
			}
		}
	}
	return found
}

func (w *world) partitionOf(person string) *partition {
	return w.parts[record.PartitionOf([]byte(person), int32(len(w.parts)))]
}

// ticks are by how many minutes the clock moves by which records are stamped.
var ticks = []int64{1, 1, 5, 5, 12, 31, 45, 90, -3, -40}

func (w *world) tick() { w.now += w.ticks[w.below(len(w.ticks))] * minute }

// times of events against the clock, in minutes: most are on time, some late,
// one too far ahead to be taken.
var times = []int64{0, 0, 0, 0, -1, -5, -20, -29, -30, -31, -60, -95, -180, 20, 60, 25*60 + 100}

// appendClient adds what a client sends to a partition's log.
func (w *world) appendClient() {
	p := w.parts[w.below(len(w.parts))]
	switch kind := w.below(20); kind {
	case 16:
		w.append(p, []byte("k"), []byte(`{"person":"u0"`))
		return
	case 17:
		w.append(p, nil, []byte(fmt.Sprintf(`{"person":"u0","url":"ftp://a.com/","ts":%d,"nonce":"n%d"}`, w.now, w.below(nonces))))
		return
	case 18:
		w.appendOtherEpoch(p)
		return
	case 19:
		if w.gaps {
			p.next += int64(1 + w.below(2))
			w.saw(GapInOffsets)
		}
	}
	w.append(p, nil, w.pageview(w.person(p)))
}

// person is one of the partition's; now and then one of another's, whose record
// then lies where it should not.
func (w *world) person(p *partition) string {
	of := p.shard.Partition
	if len(w.parts) > 1 && w.below(5) == 4 {
		of = 1 - of
	}
	return w.persons[of][w.below(len(w.persons[of]))]
}

func (w *world) pageview(person string) []byte {
	url := w.urls[w.below(len(w.urls))]
	shift := w.times[w.below(len(w.times))]
	if shift < -30 {
		w.saw(LateEvent)
	}
	ts := w.now + shift*minute
	switch n := w.below(nonces + 3); {
	case n >= nonces:
		return fmt.Appendf(nil, `{"person":%q,"url":%q,"ts":%d}`, person, url, ts)
	default:
		return fmt.Appendf(nil, `{"nonce":"n%d","person":%q,"url":%q,"ts":%d}`, n, person, url, ts)
	}
}

// appendOtherEpoch adds a record that says it was rerouted here from a partition
// of another incarnation of the log, or from nowhere at all.
func (w *world) appendOtherEpoch(p *partition) {
	from := record.Source{Epoch: uint32(1 + w.below(2)), Partition: int32(w.below(2)), Offset: int64(w.below(6))}
	text := from.String()
	if w.below(8) == 7 {
		text = "1/2"
	}
	w.saw(RecordOfOtherEpoch)
	w.append(p, nil, w.pageview(w.person(p)), kgo.RecordHeader{Key: record.ReroutedHeader, Value: []byte(text)})
}
