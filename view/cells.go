package view

import (
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"speedlayer/store"
)

// slot holds the cells of one page and hour, or of one domain and hour.
type slot struct {
	url     string
	hash    uint64 // of url and hour, for the index
	hour    int32
	domain  int32 // slot of the domain in this hour; its own number for a domain
	visits  int32 // domains only: place in cells.visits
	dirty   uint8 // which cells differ from the store: a set of dirtyX
	queued  bool  // is in cells.changed
	recent  bool  // used since the clock's hand last passed
	free    bool
	partial bool // the store may have more: the slot holds what came since it was made (cells.adds)
	views   counter
	persons visitors
	added   int32 // newest of the persons that were added since the last put; place in cells.added + 1
	since   int32 // how many came since the whole set was put
	deltas  int32 // how many deltas were put since then
}

const (
	dirtyViews = 1 << iota
	dirtyPersons
	dirtyVisits
)

func (s *slot) isDomain(i int32) bool { return s.domain == i }

// cells is the cache of one shard's cells in its newest generation.
//
// The simple idea: for each event, read its cells from the store, change them, and
// write them back. That costs several reads an event, and it is wrong as soon as a
// batch is offered twice, since the second time would read what the first one wrote.
// So a shard's processor, which is the only one that changes these cells, keeps them in
// memory.
//
// The invariant is that a slot holds what the store will hold when every put so far has
// been acknowledged. It rests on four rules:
//
//  1. A slot is filled before it is changed. insert puts a new slot on the list missing
//     unless presence shows that the store cannot have the cell. The caller reads all
//     missing cells of the batch at once, and only then runs the events. A cell that the
//     store does not have keeps the version at which its generation starts.
//  2. A change marks its cell dirty (touch), and the flush encodes exactly the dirty
//     cells. The batch is encoded once; if the store fails, the same bytes are offered
//     again, so the state in memory may be ahead of the store by one batch, never by an
//     unknown number.
//  3. A slot is dropped only when it is clean, which evict relies on: it runs after the
//     store has acknowledged the batch. If a slot left earlier, the next event would
//     read the old cell back, change it, and write a cell that lacks the batch in flight
//     under a higher version (law 3 could not detect it).
//  4. What was dropped is reported to presence, so that rule 1 reads it again.
//
// Memory is bounded in two ways, by slots and by the bytes of visitor sets, since one
// popular hour may need as much as thousands of others. Both shrink to three quarters
// at once, so that evict does not run again after the next few events.
//
// A page's slot refers to the slot of its domain in the same hour, because each event
// changes both. Slots are therefore numbers, not pointers: the slice may grow, and a
// domain never leaves before its pages.
//
// Where the store takes additions, rule 1 has an exception: a page's cells are not
// read. Their slot is partial. It holds the views since the last put, which are put as
// an addition, and the persons since it was made, which are put as deltas. Most pages
// have few views, so a read for each page that comes back would cost more than all
// else. A domain's cells are read: they are few, and visits are not additions.
type cells struct {
	generation uint32
	start      int64 // version of a cell that is not there
	maxSlots   int
	maxBytes   int

	slots   []slot
	visits  []bounces
	index   []int32 // open addressing, linear probing; slot number + 1
	mask    uint64
	live    int
	domains int
	bytes   int // of visitor sets and sketches
	freed   []int32
	hand    int

	known   presence // of cells that are not in it
	missing []int32  // slots whose cells must be read before use
	changed []int32  // slots with a dirty cell

	adds      bool       // the store takes additions: cells of pages are never read
	deltas    int        // how many deltas of a set the store takes; 0 if none
	deltaFrom int        // smallest set of which one is put
	added     []newcomer // since the last put, of all slots
}

func newCells(maxSlots, maxBytes int) *cells {
	c := &cells{maxSlots: maxSlots, maxBytes: maxBytes}
	c.reset(0, 0)
	return c
}

// reset forgets everything and begins with a generation that starts at offset
// start. Nothing may be dirty.
func (c *cells) reset(generation uint32, start int64) {
	for i := range c.slots {
		c.slots[i].persons.set.Release()
	}
	clear(c.slots)
	c.generation, c.start = generation, start
	c.slots, c.visits, c.freed = c.slots[:0], c.visits[:0], c.freed[:0]
	c.missing, c.changed, c.added = c.missing[:0], c.changed[:0], c.added[:0]
	c.live, c.domains, c.hand, c.bytes = 0, 0, 0, 0
	if c.index == nil {
		c.index = make([]int32, 1<<12)
	}
	clear(c.index)
	c.mask = uint64(len(c.index) - 1)
}

func slotHash(url []byte, hour int32) uint64 {
	return (xxh3.Hash(url) ^ uint64(uint32(hour))) * 0x9e3779b97f4a7c15
}

// page returns the slot of a page in an hour; its domain's slot comes with it.
func (c *cells) page(page []byte, domainLen int, hour int32) int32 {
	h := slotHash(page, hour)
	if i := c.lookup(h, page, hour); i >= 0 {
		c.slots[i].recent = true
		return i
	}
	url := string(page) // one copy, shared by the page's and a new domain's slot
	d := c.domain(url[:domainLen], hour)
	return c.insert(h, url, hour, d)
}

// domain returns the slot of a domain in an hour.
func (c *cells) domain(domain string, hour int32) int32 {
	h := slotHash([]byte(domain), hour)
	if i := c.lookup(h, []byte(domain), hour); i >= 0 {
		c.slots[i].recent = true
		return i
	}
	i := c.insert(h, domain, hour, -1)
	s := &c.slots[i]
	s.domain = i
	s.visits = int32(len(c.visits))
	c.visits = append(c.visits, bounces{version: c.start})
	c.domains++
	return i
}

func (c *cells) lookup(h uint64, url []byte, hour int32) int32 {
	for p := h >> 32 & c.mask; c.index[p] != 0; p = (p + 1) & c.mask {
		i := c.index[p] - 1
		if s := &c.slots[i]; s.hash == h && s.hour == hour && s.url == string(url) {
			return i
		}
	}
	return -1
}

func (c *cells) insert(h uint64, url string, hour, domain int32) int32 {
	if 2*(c.live+1) > len(c.index) {
		c.rebuild(2 * len(c.index))
	}
	var i int32
	if n := len(c.freed); n > 0 {
		i = c.freed[n-1]
		c.freed = c.freed[:n-1]
	} else {
		i = int32(len(c.slots))
		c.slots = append(c.slots, slot{})
	}
	c.slots[i] = slot{url: url, hash: h, hour: hour, domain: domain, recent: true,
		views: counter{version: c.start}, persons: visitors{version: c.start}}
	c.live++
	c.place(i)
	if c.known.may(h, hour) {
		if isPage := domain >= 0; c.adds && isPage {
			c.slots[i].partial = true
		} else {
			c.missing = append(c.missing, i)
		}
	}
	return i
}

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
		if !c.slots[i].free {
			c.place(int32(i))
		}
	}
}

// missingKeys appends the keys of the cells that must be read, in the order in
// which fill takes them: sorted by key.
func (c *cells) missingKeys(dst []store.Key) []store.Key {
	slices.SortFunc(c.missing, c.byURL)
	for _, i := range c.missing {
		dst = append(dst, c.key(PageviewsView, i))
	}
	for _, i := range c.missing {
		dst = append(dst, c.key(UniquesView, i))
	}
	for _, i := range c.missing {
		if c.slots[i].isDomain(i) {
			dst = append(dst, c.key(BouncesView, i))
		}
	}
	return dst
}

// fill takes a cell that the store has: the n-th of the keys.
func (c *cells) fill(n int, version int64, value []byte) error {
	m := len(c.missing)
	switch n / m {
	case 0:
		return c.fillViews(c.missing[n], version, value)
	case 1:
		return c.fillPersons(c.missing[n-m], version, value)
	}
	n -= 2 * m
	for _, i := range c.missing {
		if !c.slots[i].isDomain(i) {
			continue
		}
		if n == 0 {
			return c.fillVisits(i, version, value)
		}
		n--
	}
	return nil
}

func (c *cells) filled() { c.missing = c.missing[:0] }

func (c *cells) key(v store.ViewID, i int32) store.Key {
	return store.Key{Generation: c.generation, View: v, URL: c.slots[i].url, Hour: c.slots[i].hour}
}

func (c *cells) byURL(a, b int32) int {
	x, y := &c.slots[a], &c.slots[b]
	if n := strings.Compare(x.url, y.url); n != 0 {
		return n
	}
	return int(x.hour) - int(y.hour)
}

// touch notes that cells of a slot differ from the store. The views change their
// cells in pageviews.go, uniques.go and bounces.go. Each obeys law 3: nothing below
// the cell's version, and the version moves only with the bytes.
func (c *cells) touch(s *slot, i int32, what uint8) {
	s.dirty |= what
	if !s.queued {
		s.queued = true
		c.changed = append(c.changed, i)
	}
}

// evict makes room. It is called after a batch was acknowledged, when every slot is
// clean (rule 3 of cells).
//
// Pages leave by the second-chance clock: the hand goes round and drops a page that was
// not used since it last passed. Two rounds are enough, for the first one clears every
// mark. Domains stay. There are few of them, pages refer to them, and each of their
// pages' events needs them. If domains alone fill a quarter of the cache, as with a
// flood of domains that have one page each, dropping single pages would not help, so
// everything is dropped, and presence forgets what it knew.
//
// An open-addressing index cannot lose single entries without marks for deleted ones,
// so it is built again at the end.
func (c *cells) evict() {
	if c.live <= c.maxSlots && c.bytes <= c.maxBytes {
		return
	}
	if c.domains > c.maxSlots/4 {
		c.reset(c.generation, c.start)
		c.known.unknown()
		return
	}
	for steps := 2 * len(c.slots); steps > 0 && (c.live > c.maxSlots*3/4 || c.bytes > c.maxBytes*3/4); steps-- {
		if c.hand >= len(c.slots) {
			c.hand = 0
		}
		s := &c.slots[c.hand]
		switch {
		case s.free || s.isDomain(int32(c.hand)):
		case s.recent:
			s.recent = false
		case c.live <= c.maxSlots*3/4 && s.persons.set.MemoryBytes() == 0: // it is bytes that must go
		default:
			c.bytes -= s.persons.set.MemoryBytes()
			c.known.gone(s.hash, s.hour)
			s.persons.set.Release()
			*s = slot{free: true}
			c.freed = append(c.freed, int32(c.hand))
			c.live--
		}
		c.hand++
	}
	c.rebuild(len(c.index))
}
