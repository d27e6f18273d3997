package oracle

import (
	"cmp"
	"slices"

	"github.com/OneOfOne/xxhash"
)

// View reports which of the three views a cell belongs to. The numbers are those
// in stored keys.
type View uint8

// The views. Pages and domains share the first two.
const (
	Pageviews View = 1
	Uniques   View = 2
	Bounces   View = 3
)

// CellKey names a cell of one partition.
type CellKey struct {
	Generation uint32
	View       View
	URL        string // a page, or a domain (without a slash)
	Hour       int32  // whole hours since 1970-01-01T00:00Z
}

// Compare orders keys as stores do: by generation, view, url bytes, hour.
func (k CellKey) Compare(o CellKey) int {
	return cmp.Or(cmp.Compare(k.Generation, o.Generation), cmp.Compare(k.View, o.View),
		cmp.Compare(k.URL, o.URL), cmp.Compare(k.Hour, o.Hour))
}

// Value is what a cell holds; which fields count depends on its view.
type Value struct {
	Pageviews       uint64
	Visits, Bounces int64
	Hashes          []uint64 // of persons, ascending, while the cell is exact
	Registers       []byte   // of the sketch, 16,384; nil while the cell is exact
}

// Equal compares all fields.
func (v Value) Equal(o Value) bool {
	return v.Pageviews == o.Pageviews && v.Visits == o.Visits && v.Bounces == o.Bounces &&
		slices.Equal(v.Hashes, o.Hashes) && slices.Equal(v.Registers, o.Registers)
}

// Version is a value with the version at which a cell has it: the offset of the
// event that made it so, plus one.
type Version struct {
	Version int64
	Value   Value
}

// Cell is one cell as the oracle has it.
type Cell struct {
	Version
	First int64 // the cell's first version
	// Missed is the first version that a frozen cell should have had after the
	// one at which it is frozen; 0 for none so far.
	Missed  int64
	History []Version // every version from First on, if Options.Histories
}

// cell is a cell while the log goes on.
type cell struct {
	version, first int64
	frozen         int64 // no event at or above this offset changes it; 0 is never
	missed         int64
	pageviews      uint64
	visits         delta
	persons        *visitors
	history        []Version
}

// changed notes that the event at offset has changed the cell. It reports whether
// the change may be made: not if the cell is frozen below.
func (c *cell) mayChange(offset int64) bool {
	if c.frozen > 0 && offset >= c.frozen {
		if c.missed == 0 {
			c.missed = offset + 1
		}
		return false
	}
	c.version = offset + 1
	if c.first == 0 {
		c.first = c.version
	}
	return true
}

func (c *cell) addPageview(offset int64) {
	if c.mayChange(offset) {
		c.pageviews++
	}
}

func (c *cell) addPerson(hash uint64, offset int64, exact int) {
	if c.persons == nil {
		c.persons = &visitors{}
	}
	if c.persons.grows(hash) && c.mayChange(offset) {
		c.persons.add(hash, exact)
	}
}

func (c *cell) addVisits(d delta, offset int64) {
	if c.mayChange(offset) {
		c.visits.visits += d.visits
		c.visits.bounces += d.bounces
	}
}

func (c *cell) value() Value {
	v := Value{Pageviews: c.pageviews, Visits: c.visits.visits, Bounces: c.visits.bounces}
	if c.persons != nil {
		v.Hashes, v.Registers = c.persons.value()
	}
	return v
}

// visitors is a set of persons: their hashes, or registers once there are more
// than a cell holds exactly.
type visitors struct {
	hashes    map[uint64]bool
	registers []byte
}

// grows reports whether adding a person changes the cell's bytes.
func (s *visitors) grows(hash uint64) bool {
	if s.registers == nil {
		return !s.hashes[hash]
	}
	slot, value := coupon(hash)
	return value > s.registers[slot]
}

func (s *visitors) add(hash uint64, exact int) {
	if s.registers != nil {
		addRegister(s.registers, hash)
		return
	}
	if s.hashes == nil {
		s.hashes = map[uint64]bool{}
	}
	s.hashes[hash] = true
	if len(s.hashes) <= exact {
		return
	}
	s.registers = make([]byte, registerCount)
	for h := range s.hashes { // a maximum: in any order
		addRegister(s.registers, h)
	}
	s.hashes = nil
}

// value copies.
func (s *visitors) value() (hashes []uint64, registers []byte) {
	for h := range s.hashes {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	return hashes, slices.Clone(s.registers)
}

// personHash is XXH64 with seed 42, as Spark SQL's xxhash64.
func personHash(person string) uint64 { return xxhash.ChecksumString64S(person, 42) }

// AddMembers is the bytes of a cell of visitors with more members, which may be in it.
func AddMembers(b []byte, members []uint64) ([]byte, error) {
	v, err := ParseValue(Uniques, b)
	if err != nil {
		return nil, err
	}
	s := &visitors{registers: v.Registers}
	for _, h := range append(v.Hashes, members...) {
		s.add(h, DefaultSettings().ExactVisitors)
	}
	v.Hashes, v.Registers = s.value()
	return v.Bytes(Uniques), nil
}
