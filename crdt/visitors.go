package crdt

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// MaxExact is how many visitors a cell holds exactly. The next one turns it into a
// sketch.
const MaxExact = 2048

// Visitors is one replica of a set of persons, as 64-bit hashes. It only grows.
// The zero value is empty. Most cells never have more than one or two visitors, so
// the struct itself holds these.
type Visitors struct {
	n   int32
	two [2]uint64 // the members, ascending, while n <= 2 and more is nil
	*more
}

// more holds three or more visitors.
type more struct {
	members []uint64 // the first `sorted` ascending, then in order of arrival
	sorted  int
	table   []uint16   // of members above smallSet: index in members + 1, open addressing; 0 is empty
	sketch  *registers // if set, the other fields are empty
}

// smallSet is how many members are searched one by one, without a table.
const smallSet = 16

// Add adds a person to the set and reports whether the bytes of the cell change.
func (v *Visitors) Add(h uint64) bool {
	if v.more == nil {
		return v.addFew(h)
	}
	if v.sketch != nil {
		return v.sketch.add(h)
	}
	if v.has(h) {
		return false
	}
	v.n++
	v.members = append(v.members, h)
	switch {
	case len(v.members) > MaxExact:
		v.toSketch()
	case len(v.members) > smallSet:
		v.addToTable()
	}
	return true
}

func (v *Visitors) addFew(h uint64) bool {
	for _, have := range v.two[:v.n] {
		if have == h {
			return false
		}
	}
	if v.n == 2 {
		m := &more{members: make([]uint64, 2, 4), sorted: 2}
		copy(m.members, v.two[:])
		m.members = append(m.members, h)
		v.more = m
		v.n = 3
		return true
	}
	v.two[v.n] = h
	v.n++
	if v.n == 2 && v.two[0] > v.two[1] {
		v.two[0], v.two[1] = v.two[1], v.two[0]
	}
	return true
}

func (m *more) has(h uint64) bool {
	if m.table == nil {
		return slices.Contains(m.members, h)
	}
	mask := uint64(len(m.table) - 1)
	for p := h & mask; m.table[p] != 0; p = (p + 1) & mask {
		if m.members[m.table[p]-1] == h {
			return true
		}
	}
	return false
}

// addToTable enters the last member in the table, which is rebuilt when it is
// three quarters full.
func (m *more) addToTable() {
	if 4*len(m.members) <= 3*len(m.table) {
		m.place(len(m.members) - 1)
		return
	}
	m.makeTable()
}

// makeTable builds the table for all members.
func (m *more) makeTable() {
	size := max(64, len(m.table))
	for 4*len(m.members) > 3*size {
		size *= 2
	}
	if size == len(m.table) {
		clear(m.table)
	} else {
		m.table = make([]uint16, size)
	}
	for i := range m.members {
		m.place(i)
	}
}

func (m *more) place(i int) {
	mask := uint64(len(m.table) - 1)
	p := m.members[i] & mask
	for m.table[p] != 0 {
		p = (p + 1) & mask
	}
	m.table[p] = uint16(i + 1) // at most MaxExact
}

func (v *Visitors) toSketch() {
	r := newRegisters()
	for _, h := range v.members {
		r.add(h)
	}
	v.n = 0
	*v.more = more{sketch: r}
}

// sort puts all members in ascending order. It sorts those added since the last
// call and merges them from the back.
func (m *more) sort() {
	if m.sorted == len(m.members) {
		return
	}
	tail := m.members[m.sorted:]
	slices.Sort(tail)
	if m.sorted > 0 && m.members[m.sorted-1] > tail[0] {
		var buf [64]uint64
		late := append(buf[:0], tail...)
		i, j := m.sorted-1, len(late)-1
		for at := len(m.members) - 1; j >= 0; at-- {
			if i >= 0 && m.members[i] > late[j] {
				m.members[at] = m.members[i]
				i--
			} else {
				m.members[at] = late[j]
				j--
			}
		}
	}
	m.sorted = len(m.members)
	if m.table != nil {
		m.makeTable() // members have new positions
	}
}

// A cell is encoded as its kind, followed by
//
//	0x01 exact: the members ascending, u64 little-endian each, at most MaxExact
//	0x02 sketch: a DataSketches HLL, see registers.go
//
// A delta, 0x03, is not a cell: see delta.go.
const (
	kindExact  = 0x01
	kindSketch = 0x02
)

// Append appends the cell's bytes.
func (v *Visitors) Append(dst []byte) []byte {
	if v.IsSketch() {
		return v.sketch.append(append(dst, kindSketch))
	}
	dst = append(dst, kindExact)
	members := v.two[:min(v.n, 2)]
	if v.more != nil {
		v.sort()
		members = v.members
	}
	for _, h := range members {
		dst = binary.LittleEndian.AppendUint64(dst, h)
	}
	return dst
}

// Decode sets v to what Append wrote. b is not kept.
func (v *Visitors) Decode(b []byte) error {
	*v = Visitors{}
	if len(b) == 0 {
		return fmt.Errorf("%w: visitors of no bytes", ErrCorrupt)
	}
	switch b[0] {
	case kindSketch:
		regs, err := sketchRegisters(b[1:])
		if err != nil {
			return err
		}
		r := newRegisters()
		copy(r[:], regs)
		v.more = &more{sketch: r}
		return nil
	case kindExact:
		if err := checkExact(b[1:]); err != nil {
			return err
		}
		return v.decodeExact(b[1:])
	}
	return fmt.Errorf("%w: visitors of kind 0x%02x", ErrCorrupt, b[0])
}

func checkExact(b []byte) error {
	if len(b)%8 != 0 || len(b)/8 > MaxExact {
		return fmt.Errorf("%w: exact visitors in %d bytes", ErrCorrupt, len(b))
	}
	for i := 8; i < len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i-8:]) >= binary.LittleEndian.Uint64(b[i:]) {
			return fmt.Errorf("%w: exact visitors are not ascending", ErrCorrupt)
		}
	}
	return nil
}

func (v *Visitors) decodeExact(b []byte) error {
	n := len(b) / 8
	v.n = int32(n)
	if n <= 2 {
		for i := range n {
			v.two[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		return nil
	}
	m := &more{members: make([]uint64, n, n+n/4+1), sorted: n}
	for i := range m.members {
		m.members[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	if n > smallSet {
		m.makeTable()
	}
	v.more = m
	return nil
}

// IsSketch reports whether the cell is a sketch and no longer exact.
func (v *Visitors) IsSketch() bool { return v.more != nil && v.sketch != nil }

// Len returns the number of visitors of an exact cell, and 0 for a sketch.
func (v *Visitors) Len() int { return int(v.n) }

// MemoryBytes returns the memory of the cell besides the struct itself.
func (v *Visitors) MemoryBytes() int {
	switch {
	case v.more == nil:
		return 0
	case v.sketch != nil:
		return registerCount
	}
	return 64 + 8*cap(v.members) + 2*len(v.table)
}

// Release empties the cell and frees its memory for others.
func (v *Visitors) Release() {
	if v.IsSketch() {
		sketchPool.Put(v.sketch)
	}
	*v = Visitors{}
}
