package oracle

import (
	"cmp"
	"slices"
)

// Batch reports what a batch run must hold: everything in the logs of all shards up
// to a vector, with a memory of the past that has no bounds. It keeps all events
// and goes through them again for each question.
type Batch struct {
	seen    map[pair]bool
	events  []batchEvent
	persons *Answers // its edges alone
}

type batchEvent struct {
	person uint64
	page   string
	ts     int64
}

// NewBatch returns the oracle of a run that has absorbed nothing.
func NewBatch() *Batch {
	return &Batch{seen: map[pair]bool{}, persons: NewAnswers(0)}
}

// Add takes the records of a shard up to the vector. Shards come in order of
// epoch; within one the order does not matter, for a person has one partition.
func (b *Batch) Add(opt Options, records []Record) {
	o := New(opt)
	for _, r := range records {
		o.counts.LogTime = max(o.counts.LogTime, r.Timestamp)
		if len(r.Key) == 0 && r.has("speedlayer-marker") {
			continue
		}
		pv, counts, err := o.classify(r)
		p := pair{pv.Nonce, pv.Person}
		if err != nil || !counts || b.seen[p] {
			continue
		}
		b.seen[p] = true
		b.events = append(b.events, batchEvent{person: personHash(pv.Person), page: pv.Page, ts: pv.TS})
	}
}

// Events is how many pageviews count.
func (b *Batch) Events() int { return len(b.events) }

// Link records that two identifiers are one person; Unlink takes it back.
func (b *Batch) Link(id1, id2 string) { b.persons.Link(id1, id2) }

// Unlink is the opposite of Link.
func (b *Batch) Unlink(id1, id2 string) { b.persons.Unlink(id1, id2) }

// Canonical is the smallest hash of the same person.
func (b *Batch) Canonical(hash uint64) uint64 {
	if c, ok := b.persons.canonical()[hash]; ok {
		return c
	}
	return hash
}

// BatchKey names a cell of a run: the bucket that begins at an hour which is a
// multiple of Hours, and has that many.
type BatchKey struct {
	View  View
	URL   string
	Hours int32 // 1, 24, 168 or 672
	Begin int32 // hour
}

// Compare orders keys by view, hours, url bytes, begin.
func (k BatchKey) Compare(o BatchKey) int {
	return cmp.Or(cmp.Compare(k.View, o.View), cmp.Compare(k.Hours, o.Hours), cmp.Compare(k.URL, o.URL), cmp.Compare(k.Begin, o.Begin))
}

// BatchValue is what a cell of a run holds; which fields count depends on its
// view. Above 2,048 raw persons Hashes is nil and Registers has the canonical
// ones.
type BatchValue struct {
	Pageviews                   uint64
	Hashes                      []uint64
	Registers                   []byte
	Raw, RawBounces             uint64
	Canonical, CanonicalBounces uint64
}

// Cells are all cells of the run.
func (b *Batch) Cells() map[BatchKey]BatchValue {
	cells := map[BatchKey]BatchValue{}
	for _, hours := range []int32{1, 24, 24 * 7, 24 * 28} {
		persons := map[BatchKey]map[uint64]bool{}
		for _, e := range b.events {
			begin := hourOf(e.ts) / hours * hours
			for _, url := range []string{e.page, Domain(e.page)} {
				k := BatchKey{Pageviews, url, hours, begin}
				v := cells[k]
				v.Pageviews++
				cells[k] = v
				k.View = Uniques
				if persons[k] == nil {
					persons[k] = map[uint64]bool{}
				}
				persons[k][e.person] = true
			}
		}
		for k, set := range persons {
			cells[k] = b.visitors(set)
		}
		b.addVisits(cells, hours, false)
		b.addVisits(cells, hours, true)
	}
	return cells
}

func (b *Batch) visitors(set map[uint64]bool) (v BatchValue) {
	if len(set) > DefaultSettings().ExactVisitors {
		v.Registers = make([]byte, registerCount)
		for h := range set { // a maximum: in any order
			addRegister(v.Registers, b.Canonical(h))
		}
		return v
	}
	for h := range set {
		v.Hashes = append(v.Hashes, h)
	}
	slices.Sort(v.Hashes)
	return v
}

// addVisits adds the visits of raw or of canonical persons to the buckets in
// which they begin.
func (b *Batch) addVisits(cells map[BatchKey]BatchValue, hours int32, canonical bool) {
	type who struct {
		domain string
		person uint64
	}
	times := map[who][]int64{}
	for _, e := range b.events {
		w := who{Domain(e.page), e.person}
		if canonical {
			w.person = b.Canonical(w.person)
		}
		times[w] = append(times[w], e.ts)
	}
	for w, ts := range times {
		slices.Sort(ts)
		for len(ts) > 0 {
			n := 1
			for n < len(ts) && ts[n]-ts[n-1] <= visitGap {
				n++
			}
			k := BatchKey{Bounces, w.domain, hours, hourOf(ts[0]) / hours * hours}
			v := cells[k]
			var bounce uint64
			if n == 1 {
				bounce = 1
			}
			if canonical {
				v.Canonical++
				v.CanonicalBounces += bounce
			} else {
				v.Raw++
				v.RawBounces += bounce
			}
			cells[k] = v
			ts = ts[n:]
		}
	}
}
