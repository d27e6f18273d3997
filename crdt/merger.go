package crdt

import (
	"encoding/binary"
	"fmt"
	"math"
)

// RelativeError is the error that an answer made with a sketch states: in 95 of 100
// answers the estimate is within it. The standard error of the composite estimator
// is 1.04/sqrt(2^14), 0.81 % (Flajolet et al. 2007); times 1.96 and rounded up.
// A merge of sketches is the sketch of the merged sets, so it has the same error.
const RelativeError = 0.016

// Merger merges the cells of several shards, hours and urls on reading. Mergers
// are associative, commutative and idempotent: any order of Adds, with repeats,
// gives the same result. The zero value is empty. Reset keeps its memory.
type Merger struct {
	table  []uint64 // exact members, open addressing; 0 is empty
	n      int      // in table
	zero   bool     // 0 is a member
	sketch *registers
}

// Add merges the bytes of a cell. A canonical function that is not nil maps the
// hash of a person to the hash of the canonical person. It is applied to exact
// members, because a sketch does not know its members. A merger that holds only
// exact members counts them exactly, however many they are.
func (u *Merger) Add(cell []byte, canonical func(uint64) uint64) error {
	if len(cell) == 0 {
		return fmt.Errorf("%w: visitors of no bytes", ErrCorrupt)
	}
	switch cell[0] {
	case kindSketch:
		regs, err := sketchRegisters(cell[1:])
		if err != nil {
			return err
		}
		if u.sketch == nil {
			u.sketch = newRegisters()
		}
		u.sketch.merge(regs)
		return nil
	case kindExact:
		if err := checkExact(cell[1:]); err != nil {
			return err
		}
		for b := cell[1:]; len(b) > 0; b = b[8:] {
			h := binary.LittleEndian.Uint64(b)
			if canonical != nil {
				h = canonical(h)
			}
			u.AddHash(h)
		}
		return nil
	}
	return fmt.Errorf("%w: visitors of kind 0x%02x", ErrCorrupt, cell[0])
}

// AddHash adds one person.
func (u *Merger) AddHash(h uint64) {
	if h == 0 {
		u.zero = true
		return
	}
	if 4*(u.n+1) > 3*len(u.table) {
		u.grow()
	}
	mask := uint64(len(u.table) - 1)
	p := h & mask
	for u.table[p] != 0 {
		if u.table[p] == h {
			return
		}
		p = (p + 1) & mask
	}
	u.table[p] = h
	u.n++
}

func (u *Merger) grow() {
	old := u.table
	u.table = make([]uint64, max(64, 2*len(old)))
	mask := uint64(len(u.table) - 1)
	for _, h := range old {
		if h == 0 {
			continue
		}
		p := h & mask
		for u.table[p] != 0 {
			p = (p + 1) & mask
		}
		u.table[p] = h
	}
}

// Merge makes u the merge of u and o.
func (u *Merger) Merge(o *Merger) { u.MergeAs(o, nil) }

// MergeAs is like Merge, but maps the exact members of o to canonical persons.
func (u *Merger) MergeAs(o *Merger, canonical func(uint64) uint64) {
	add := func(h uint64) {
		if canonical != nil {
			h = canonical(h)
		}
		u.AddHash(h)
	}
	if o.zero {
		add(0)
	}
	for _, h := range o.table {
		if h != 0 {
			add(h)
		}
	}
	if o.sketch != nil {
		if u.sketch == nil {
			u.sketch = newRegisters()
		}
		u.sketch.merge(o.sketch[:])
	}
}

// IsSketch reports whether the bytes of a cell are those of a sketch.
func IsSketch(cell []byte) bool { return len(cell) > 0 && cell[0] == kindSketch }

// Estimate returns the number of visitors. Either it is exact and relativeError is
// 0, or it is within RelativeError in 95 of 100 answers.
func (u *Merger) Estimate() (visitors uint64, exact bool, relativeError float64, err error) {
	if u.sketch == nil {
		n := uint64(u.n)
		if u.zero {
			n++
		}
		return n, true, 0, nil
	}
	all := u.registers()
	defer sketchPool.Put(all)
	e, err := all.estimate()
	return uint64(math.Round(e)), false, RelativeError, err
}

// AppendSketch appends the merged set as a DataSketches HLL, whether exact or not.
func (u *Merger) AppendSketch(dst []byte) []byte {
	all := u.registers()
	defer sketchPool.Put(all)
	return all.append(dst)
}

// registers returns the sketch of everything in u.
func (u *Merger) registers() *registers {
	all := newRegisters()
	if u.sketch != nil {
		*all = *u.sketch
	}
	if u.zero {
		all.add(0)
	}
	for _, h := range u.table {
		if h != 0 {
			all.add(h)
		}
	}
	return all
}

// Reset empties u. It keeps small tables for the next use.
func (u *Merger) Reset() {
	if u.sketch != nil {
		sketchPool.Put(u.sketch)
		u.sketch = nil
	}
	if len(u.table) > 1<<16 {
		u.table = nil
	}
	clear(u.table)
	u.n, u.zero = 0, false
}
