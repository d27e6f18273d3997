package query

import (
	"slices"

	"speedlayer/batch/views"
	"speedlayer/crdt"
	"speedlayer/store"
)

// defaultHours is the longest range whose answer has hours without a request for
// them: 31 days.
const defaultHours = 31 * 24

// breakdown selects the buckets for the hours of an answer: 1 by hour, 24 by
// day, 0 none.
type breakdown int32

func parseBy(by string, h Hours) (breakdown, error) {
	switch by {
	case "hour":
		return 1, nil
	case "day":
		return 24, nil
	case "":
		if h.To-h.From <= defaultHours {
			return 1, nil
		}
		return 0, nil
	}
	return 0, BadRequest("by", "\""+cut(by)+"\" is not a bucket", "hour, day, or leaving it out")
}

// buckets is a map from numbers to values, for numbers that mostly come in
// ascending order, as hours do in a scan.
type buckets[T any] struct {
	keys   []int32
	values []T
}

// at returns the value of a key, which is zero if the key is new. The pointer is
// valid until the next call.
func (b *buckets[T]) at(key int32) *T {
	n := len(b.keys)
	if n > 0 && b.keys[n-1] == key {
		return &b.values[n-1]
	}
	i := n
	if n > 0 && b.keys[n-1] > key {
		var found bool
		if i, found = slices.BinarySearch(b.keys, key); found {
			return &b.values[i]
		}
	}
	var zero T
	b.keys = slices.Insert(b.keys, i, key)
	b.values = slices.Insert(b.values, i, zero)
	return &b.values[i]
}

// counts sums up counts.
type counts struct {
	by      breakdown
	total   uint64
	parts   buckets[uint64]
	sources sources
}

func (s *counts) add(c *store.ScanCell) error {
	n, err := crdt.Count(c.Value)
	if err != nil {
		return cellError(c, err)
	}
	s.sources.addSpeed(c)
	s.count(c.Hour, n)
	return nil
}

func (s *counts) addBatch(c *batchCell) error {
	n, err := crdt.Count(c.value)
	if err != nil {
		return batchCellError(c, err)
	}
	s.sources.addBatch(c)
	s.count(c.hour, n)
	return nil
}

func (s *counts) count(hour int32, n uint64) {
	s.total += n
	if s.by != 0 {
		*s.parts.at(hour / int32(s.by)) += n
	}
}

// visitCounts sums up visits and bounces. Cells of one shard and generation may
// be negative. Sums are not negative, except for visits that are not remembered any
// more. What an open generation adds to an hour is a difference between visits of
// raw persons. So such an hour is based on the raw visits of the batch views, and
// any other hour on their canonical visits (law 8).
type visitCounts struct {
	by      breakdown
	total   crdt.VisitCount
	parts   buckets[crdt.VisitCount]
	sources sources
}

func (s *visitCounts) add(c *store.ScanCell) error {
	v, err := crdt.DecodeVisitCount(c.Value)
	if err != nil {
		return cellError(c, err)
	}
	s.sources.addSpeed(c)
	s.count(c.Hour, v)
	return nil
}

// addBatch is called after all open generations were added. Buckets of more than
// one hour contain only hours to which no open generation adds.
func (s *visitCounts) addBatch(c *batchCell) error {
	v, err := views.DecodeVisits(c.value)
	if err != nil {
		return batchCellError(c, err)
	}
	s.count(c.hour, baseVisits(v, s.sources.speed.has(c.hour, c.hour+c.hours())))
	s.sources.addBatch(c)
	return nil
}

// baseVisits returns the visits that the batch views have for an hour.
func baseVisits(v views.Visits, open bool) crdt.VisitCount {
	if open {
		return crdt.VisitCount{Visits: int64(v.Raw), Bounces: int64(v.RawBounces)}
	}
	return crdt.VisitCount{Visits: int64(v.Canonical), Bounces: int64(v.CanonicalBounces)}
}

func (s *visitCounts) count(hour int32, v crdt.VisitCount) {
	plus(&s.total, v)
	if s.by != 0 {
		plus(s.parts.at(hour/int32(s.by)), v)
	}
}

func plus(a *crdt.VisitCount, b crdt.VisitCount) {
	a.Visits += b.Visits
	a.Bounces += b.Bounces
}

// clamp enforces 0 <= bounces <= visits, and reports whether it had to.
func clamp(v crdt.VisitCount) (crdt.VisitCount, bool) {
	c := crdt.VisitCount{Visits: max(0, v.Visits)}
	c.Bounces = min(max(0, v.Bounces), c.Visits)
	return c, c != v
}

func rate(v crdt.VisitCount) *float64 {
	if v.Visits == 0 {
		return nil
	}
	r := float64(v.Bounces) / float64(v.Visits)
	return &r
}
