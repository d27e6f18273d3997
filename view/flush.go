package view

import (
	"slices"
	"sync"

	"speedlayer/store"
)

// flush holds the encoded cells of a batch until they are acknowledged. Large
// buffers then go to the next commit, so that there are as many of them as
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
// store refuses is offered again as it is, never made a second time.
func (f *flush) encode(c *cells) []store.Cell {
	if f.bytes == nil {
		*f = *flushes.Get().(*flush)
	}
	f.cells, f.bytes, f.ends = f.cells[:0], f.bytes[:0], f.ends[:0]
	slices.SortFunc(c.changed, c.byURL)
	f.pageviews(c)
	f.uniques(c)
	f.bounces(c)
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

func (f *flush) add(k store.Key, version int64) {
	f.cells = append(f.cells, store.Cell{Key: k, Version: version})
	f.ends = append(f.ends, len(f.bytes))
}
