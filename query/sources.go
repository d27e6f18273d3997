package query

import (
	"context"
	"fmt"
	"slices"

	"speedlayer/event"
	"speedlayer/store"
)

// hourSet is a set of hours, as words of 64 bits.
type hourSet struct{ words buckets[uint64] }

func (s *hourSet) add(hour int32) { *s.words.at(hour >> 6) |= 1 << (hour & 63) }

func (s *hourSet) len() int {
	n := 0
	for _, w := range s.words.values {
		for ; w != 0; w &= w - 1 {
			n++
		}
	}
	return n
}

// has reports whether one of the hours from <= hour < to is in the set.
func (s *hourSet) has(from, to int32) bool {
	i, _ := slices.BinarySearch(s.words.keys, from>>6)
	for ; i < len(s.words.keys) && s.words.keys[i] <= (to-1)>>6; i++ {
		for hour := max(from, s.words.keys[i]<<6); hour < min(to, (s.words.keys[i]+1)<<6); hour++ {
			if s.words.values[i]&(1<<(hour&63)) != 0 {
				return true
			}
		}
	}
	return false
}

// list returns the hours of the set, ascending.
func (s *hourSet) list() (hours []int32) {
	for i, key := range s.words.keys {
		for bit := range int32(64) {
			if s.words.values[i]&(1<<bit) != 0 {
				hours = append(hours, key<<6|bit)
			}
		}
	}
	return hours
}

// sources are the hours of an answer that hold data, by origin. An hour may have
// data from both.
type sources struct{ batch, speed hourSet }

func (s *sources) addSpeed(c *store.ScanCell) { s.speed.add(c.Hour) }

// addBatch adds all hours of a bucket.
func (s *sources) addBatch(c *batchCell) {
	for hour := range c.hours() {
		s.batch.add(c.hour + hour)
	}
}

// quality completes an answer: what it covers and where it came from.
func (e *Engine) quality(ctx context.Context, r *reading, s *sources) (q Quality, err error) {
	q.Covered, err = e.covered(ctx, r)
	q.Sources.BatchHours, q.Sources.SpeedHours = s.batch.len(), s.speed.len()
	if run := r.pointer.Current; run != nil {
		q.Sources.BatchRun = &run.Number
		if run.Started > 0 {
			q.Sources.BatchUntil = event.FormatTime(run.Started)
		}
	}
	if r.views != nil && r.views.Lost() > 0 {
		q.Notes = append(q.Notes, fmt.Sprintf("incomplete: %d records of the log were lost before they were archived, and accepted as lost; what they counted for is not in the answer", r.views.Lost()))
	}
	return q, err
}

// of returns where a part of an answer came from. It is empty while there is no
// batch run, because then everything came from the speed layer.
func (s *sources) of(q *Quality, by breakdown, key int32) string {
	if q.Sources.BatchRun == nil {
		return ""
	}
	from, to := key*int32(by), (key+1)*int32(by)
	batch, speed := s.batch.has(from, to), s.speed.has(from, to)
	switch {
	case batch && speed:
		return "both"
	case batch:
		return "batch"
	}
	return "speed"
}
