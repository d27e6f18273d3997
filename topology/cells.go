package topology

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"speedlayer/store"
)

// slot is one cell in memory.
type slot struct {
	url     string // as in the store: the step's prefix and the key
	hash    uint64
	version int64
	n       int64 // what the cell is, or its place in the kind's table
	hour    int32
	cell    int16 // its step's place in the stage
	prefix  uint8 // length of the step's
	flags   uint8
}

const (
	dirty  = 1 << iota // differs from the store
	recent             // used since the clock's hand last passed
	free               // holds nothing
	own                // its version is of an event that this processor has run
)

func (s *slot) key() string { return s.url[s.prefix:] }

// cells is a cache of one shard's cells in its newest generation. What is not in it
// is read from the store once. A slot leaves it only while it does not differ from
// the store (design, law 3).
type cells struct {
	steps      []*step
	prefixes   []string
	kinds      []kind
	generation uint32
	start      int64 // version of a cell that is not there
	maxSlots   int
	maxBytes   int

	slots []slot
	index []int32 // open addressing, linear probing; slot number + 1
	mask  uint64
	live  int
	bytes int // of keys, and of what the kinds keep
	freed []int32
	hand  int

	known   presence
	missing []int32 // slots whose cells must be read before use
	changed []int32 // dirty slots

	out  []store.Cell // of the last encode
	buf  []byte
	ends []int
}

func newCells(steps []*step, kinds []kind, l Limits) *cells {
	c := &cells{steps: steps, kinds: kinds, maxSlots: l.Slots, maxBytes: l.Bytes}
	for _, s := range steps {
		c.prefixes = append(c.prefixes, s.prefix())
	}
	if c.maxSlots == 0 {
		c.maxSlots = 128 << 10
	}
	if c.maxBytes == 0 {
		c.maxBytes = 32 << 20
	}
	c.reset(0, 0)
	return c
}

// reset forgets everything and begins with a generation that starts at an offset.
// Nothing may be dirty that was not encoded.
func (c *cells) reset(generation uint32, start int64) {
	for i := range c.slots {
		if s := &c.slots[i]; s.flags&free == 0 {
			c.kinds[s.cell].drop(s.n)
		}
	}
	clear(c.slots)
	c.generation, c.start = generation, start
	c.slots, c.freed, c.missing, c.changed = c.slots[:0], c.freed[:0], c.missing[:0], c.changed[:0]
	c.live, c.hand, c.bytes = 0, 0, 0
	if c.index == nil {
		c.index = make([]int32, 1<<10)
	}
	clear(c.index)
	c.mask = uint64(len(c.index) - 1)
}

// slot returns the slot of a cell. The key is escaped.
func (c *cells) slot(cell int32, key string, hour int32) int32 {
	h := xxh3.HashString(key) ^ (uint64(uint32(hour))<<16|uint64(cell))*0x9e3779b97f4a7c15
	for p := h >> 32 & c.mask; c.index[p] != 0; p = (p + 1) & c.mask {
		i := c.index[p] - 1
		if s := &c.slots[i]; s.hash == h && s.hour == hour && int32(s.cell) == cell && s.key() == key {
			s.flags |= recent
			return i
		}
	}
	return c.insert(slot{url: c.prefixes[cell] + key, hash: h, version: c.start, n: c.kinds[cell].open(), hour: hour,
		cell: int16(cell), prefix: uint8(len(c.prefixes[cell])), flags: recent})
}

func (c *cells) insert(s slot) int32 {
	if 2*(c.live+1) > len(c.index) {
		c.rebuild(2 * len(c.index))
	}
	var i int32
	if n := len(c.freed); n > 0 {
		i, c.freed = c.freed[n-1], c.freed[:n-1]
		c.slots[i] = s
	} else {
		i = int32(len(c.slots))
		c.slots = append(c.slots, s)
	}
	c.live++
	c.bytes += c.size(&s)
	c.place(i)
	if c.known.may(s.hash) {
		c.missing = append(c.missing, i)
	}
	return i
}

// size is the memory of a slot besides the slot itself.
func (c *cells) size(s *slot) int { return len(s.url) + c.kinds[s.cell].size(s.n) }

func (c *cells) place(i int32) {
	p := c.slots[i].hash >> 32 & c.mask
	for c.index[p] != 0 {
		p = (p + 1) & c.mask
	}
	c.index[p] = i + 1
}

func (c *cells) rebuild(size int) {
	if size != len(c.index) {
		c.index = make([]int32, size)
		c.mask = uint64(size - 1)
	} else {
		clear(c.index)
	}
	for i := range c.slots {
		if c.slots[i].flags&free == 0 {
			c.place(int32(i))
		}
	}
}

// apply lets an event change a cell, unless the cell has it (law 3). An event may
// change a cell several times: once it is let in, all its changes are.
func (c *cells) apply(i int32, offset, arg int64) error {
	s := &c.slots[i]
	if offset < s.version && (s.flags&own == 0 || s.version != offset+1) {
		return nil
	}
	k := c.kinds[s.cell]
	before := k.size(s.n)
	changed, err := k.apply(&s.n, arg)
	if !changed || err != nil {
		return err
	}
	c.bytes += k.size(s.n) - before
	s.version = offset + 1
	if s.flags&dirty == 0 {
		c.changed = append(c.changed, i)
	}
	s.flags |= dirty | own
	return nil
}

func (c *cells) key(s *slot) store.Key {
	return store.Key{Generation: c.generation, View: c.steps[s.cell].view, URL: s.url, Hour: s.hour}
}

// byKey orders slots as their keys.
func (c *cells) byKey(a, b int32) int {
	x, y := &c.slots[a], &c.slots[b]
	if n := int(c.steps[x.cell].view) - int(c.steps[y.cell].view); n != 0 {
		return n
	}
	if n := strings.Compare(x.url, y.url); n != 0 {
		return n
	}
	return int(x.hour) - int(y.hour)
}

// missingKeys appends the keys of the cells that must be read, sorted.
func (c *cells) missingKeys(dst []store.Key) []store.Key {
	slices.SortFunc(c.missing, c.byKey)
	for _, i := range c.missing {
		dst = append(dst, c.key(&c.slots[i]))
	}
	return dst
}

// fill takes a cell that the store has: the n-th of the keys.
func (c *cells) fill(n int, version int64, value []byte) error {
	s := &c.slots[c.missing[n]]
	k := c.kinds[s.cell]
	c.bytes -= k.size(s.n)
	k.drop(s.n)
	var err error
	s.n, err = k.fill(value)
	c.bytes += k.size(s.n)
	s.version = version
	s.flags &^= own
	return err
}

// encode writes down every dirty cell, sorted by key, and marks all clean. The result
// is valid until the next encode.
func (c *cells) encode() []store.Cell {
	slices.SortFunc(c.changed, c.byKey)
	c.out, c.buf, c.ends = c.out[:0], c.buf[:0], c.ends[:0]
	for _, i := range c.changed {
		s := &c.slots[i]
		before := c.kinds[s.cell].size(s.n)
		c.buf = c.kinds[s.cell].encode(c.buf, s.n)
		c.bytes += c.kinds[s.cell].size(s.n) - before
		c.ends = append(c.ends, len(c.buf))
		c.out = append(c.out, store.Cell{Key: c.key(s), Version: s.version})
		s.flags &^= dirty
	}
	begin := 0
	for n, end := range c.ends {
		c.out[n].Value = c.buf[begin:end:end]
		begin = end
	}
	c.changed = c.changed[:0]
	return c.out
}

// full reports whether more changed cells than may stay in memory wait for a commit.
func (c *cells) full() bool {
	return len(c.changed) > 0 && (c.live > 2*c.maxSlots || c.bytes > 2*c.maxBytes)
}

// evict makes room after everything was acknowledged. The second-chance clock takes
// slots.
func (c *cells) evict() {
	clear(c.out) // of the keys
	if cap(c.buf) > 1<<20 {
		c.buf = nil
	}
	if c.live <= c.maxSlots && c.bytes <= c.maxBytes {
		return
	}
	for steps := 2 * len(c.slots); steps > 0 && (c.live > c.maxSlots*3/4 || c.bytes > c.maxBytes*3/4); steps-- {
		if c.hand >= len(c.slots) {
			c.hand = 0
		}
		s := &c.slots[c.hand]
		switch {
		case s.flags&(free|dirty) != 0:
		case s.flags&recent != 0:
			s.flags &^= recent
		default:
			c.bytes -= c.size(s)
			c.known.gone(s.hash)
			c.kinds[s.cell].drop(s.n)
			*s = slot{flags: free}
			c.freed = append(c.freed, int32(c.hand))
			c.live--
		}
		c.hand++
	}
	c.rebuild(max(1<<10, 1<<bits.Len(uint(2*c.live+2))))
}

// presence knows of most cells that the store cannot have them, so that nobody looks
// for them. Once another processor has worked on the generation, or was replayed,
// any cell may be there. Until then only those that left the cache are, which a
// Bloom filter remembers (Bloom 1970): it may err only by saying that a cell may be
// there.
type presence struct {
	any  bool
	bits []uint64
	left int
}

// The filter has two probes, and is given up when one slot has fewer than 16 bits.
const filterBits = 1 << 22

// begin starts a generation, which has no cells yet.
func (p *presence) begin() { *p = presence{} }

// restart takes over what others have begun.
func (p *presence) restart() { *p = presence{any: true} }

func (p *presence) may(hash uint64) bool {
	if p.any || p.left == 0 {
		return p.any
	}
	a, b := hash&(filterBits-1), hash>>40&(filterBits-1)
	return p.bits[a>>6]>>(a&63)&1 == 1 && p.bits[b>>6]>>(b&63)&1 == 1
}

// gone notes that a slot left the cache.
func (p *presence) gone(hash uint64) {
	if p.any {
		return
	}
	if p.left++; p.left > filterBits/16 {
		p.restart()
		return
	}
	if p.bits == nil {
		p.bits = make([]uint64, filterBits/64)
	}
	a, b := hash&(filterBits-1), hash>>40&(filterBits-1)
	p.bits[a>>6] |= 1 << (a & 63)
	p.bits[b>>6] |= 1 << (b & 63)
}
