package view

import (
	"math"

	"speedlayer/crdt"
	"speedlayer/store"
)

// The view of unique visitors: every view adds its person to the sets of its page
// and of its domain. A set that grew a little is put as a delta, where the store
// takes deltas.

// visitors is a cell of UniquesView.
type visitors struct {
	set     crdt.Visitors
	version int64
}

// newcomer is a person that came into a slot's set since the last put.
type newcomer struct {
	person uint64
	before int32 // the one that came before into the same set; place in cells.added + 1
}

// addPerson adds the person of a view to a set.
func (c *cells) addPerson(i int32, person uint64, offset int64) {
	s := &c.slots[i]
	before := s.persons.set.MemoryBytes()
	if offset >= s.persons.version && s.persons.set.Add(person) {
		c.bytes += s.persons.set.MemoryBytes() - before
		s.persons.version = offset + 1
		c.touch(s, i, dirtyPersons)
		if c.deltas > 0 {
			c.added = append(c.added, newcomer{person, s.added})
			s.added = int32(len(c.added))
			s.since++
		}
	}
}

func (c *cells) fillPersons(i int32, version int64, value []byte) error {
	s := &c.slots[i]
	s.persons.version = version
	err := s.persons.set.Decode(value)
	// How many deltas others have put since the whole is not known: a store
	// with room for a number of them gets the whole next.
	if c.deltas < store.Unlimited {
		s.deltas = math.MaxInt32
	}
	c.bytes += s.persons.set.MemoryBytes()
	return err
}

// uniques encodes the changed cells of the view, which are sorted.
func (f *flush) uniques(c *cells) {
	for _, i := range c.changed {
		if s := &c.slots[i]; s.dirty&dirtyPersons != 0 {
			if !s.partial && c.worthWhole(s) {
				f.bytes = s.persons.set.Append(f.bytes)
				s.since, s.deltas = 0, 0
			} else {
				f.bytes = c.appendDelta(f.bytes, s)
				s.deltas++
			}
			s.added = 0
			f.add(c.key(UniquesView, i), s.persons.version)
			f.cells[len(f.cells)-1].Delta = s.deltas
		}
	}
}

// worthWhole reports whether to put a set whole: when it is small, when it is large and
// half of it came since the last time, or when the store has no room for another
// delta. So a reader merges at most that much, and a member is written a few
// times in its life, however often its cell changes.
func (c *cells) worthWhole(s *slot) bool {
	n := s.persons.set.Len()
	if s.persons.set.IsSketch() {
		n = sketchWorth
	}
	part := 1 // all of it is new: there is no whole yet
	if n >= largeSet {
		part = 2
	}
	return n < c.deltaFrom || part*int(s.since) >= n || int(s.deltas) >= c.deltas
}

const (
	largeSet    = 16
	sketchWorth = 2048 // of how many members the bytes of a sketch are
)

// appendDelta appends the persons that were added to the slot's set since the last put.
func (c *cells) appendDelta(dst []byte, s *slot) []byte {
	dst = crdt.BeginDelta(dst)
	for at := s.added; at != 0; {
		n := &c.added[at-1]
		dst = crdt.AppendMember(dst, n.person)
		at = n.before
	}
	return dst
}
