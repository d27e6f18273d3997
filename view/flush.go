package view

import (
	"slices"
	"sync"

	"speedlayer/crdt"
	"speedlayer/store"
)

// flush holds the encoded cells of a batch until they are acknowledged. Large
// buffers then go to whoever commits next, so that there are as many of them as
// commits at a time, not as partitions.
type flush struct {
	cells []store.Cell
	bytes []byte
	ends  []int // end of each cell's value in bytes, which may still move
}

// flushKept is the size of the buffer of bytes up to which a flush keeps its own.
const flushKept = 256 << 10

var flushes = sync.Pool{New: func() any { return new(flush) }}

// free gives the buffers to others; what encode returned is theirs then.
func (f *flush) free() {
	if cap(f.bytes) <= flushKept {
		return
	}
	clear(f.cells) // of the urls
	spare := *f
	flushes.Put(&spare)
	*f = flush{}
}

// encode writes down every dirty cell, sorted by key, and marks all clean. The
// result is owned by f and stays until free, or the next encode: a batch that the
// store refuses is offered again as it is, never made anew.
func (f *flush) encode(c *cells) []store.Cell {
	if f.bytes == nil {
		*f = *flushes.Get().(*flush)
	}
	f.cells, f.bytes, f.ends = f.cells[:0], f.bytes[:0], f.ends[:0]
	slices.SortFunc(c.changed, c.byURL)
	for _, i := range c.changed {
		if s := &c.slots[i]; s.dirty&dirtyViews != 0 {
			f.bytes = crdt.AppendCount(f.bytes, s.views.n)
			f.add(c.key(PageviewsView, i), s.views.version)
		}
	}
	for _, i := range c.changed {
		if s := &c.slots[i]; s.dirty&dirtyPersons != 0 {
			if c.worthWhole(s) {
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
	for _, i := range c.changed {
		if s := &c.slots[i]; s.dirty&dirtyVisits != 0 {
			b := &c.visits[s.visits]
			f.bytes = b.n.Append(f.bytes)
			f.add(c.key(BouncesView, i), b.version)
		}
	}
	begin := 0
	for n, end := range f.ends {
		f.cells[n].Value = f.bytes[begin:end:end]
		begin = end
	}
	for _, i := range c.changed {
		c.slots[i].dirty, c.slots[i].queued = 0, false
	}
	c.changed, c.added = c.changed[:0], c.added[:0]
	return f.cells
}

// worthWhole says whether to put a set whole: when it is small, when it is large and
// half of it came since the last time, or when the store has no room for another
// delta. So a reader unites at most that much, and a member is written a few
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

// appendDelta appends who came into the slot's set since the last put.
func (c *cells) appendDelta(dst []byte, s *slot) []byte {
	dst = crdt.BeginDelta(dst)
	for at := s.added; at != 0; {
		n := &c.added[at-1]
		dst = crdt.AppendMember(dst, n.person)
		at = n.before
	}
	return dst
}

func (f *flush) add(k store.Key, version int64) {
	f.cells = append(f.cells, store.Cell{Key: k, Version: version})
	f.ends = append(f.ends, len(f.bytes))
}
