// Package parts builds a cell from the parts in which some stores keep it: the whole
// cell, and the deltas that it gained since (store.TakesDeltas).
package parts

import "speedlayer/crdt"

// Part is the content of one place of a cell. The place tells whether it is a delta.
// The value cannot tell, because a count of 3 begins with the same byte.
type Part struct {
	Version int64
	Value   []byte
	Delta   bool
}

// Merger builds one cell from its parts. Its memory may be reused. The zero value is
// ready to use.
type Merger struct {
	parts []Part
	buf   []byte
}

// Reset forgets all parts.
func (u *Merger) Reset() { u.parts = u.parts[:0] }

// Add adds a part, in any order. Its value must stay as it is until Reset.
func (u *Merger) Add(p Part) { u.parts = append(u.parts, p) }

// Len returns how many parts were added.
func (u *Merger) Len() int { return len(u.parts) }

// Cell returns the cell at the highest version of its parts. Deltas that are not
// above the whole add nothing. The value is valid until the next call.
func (u *Merger) Cell() (version int64, value []byte, err error) {
	whole := Part{Version: -1}
	for _, p := range u.parts {
		version = max(version, p.Version)
		if !p.Delta {
			whole = p
		}
	}
	if version == whole.Version {
		return version, whole.Value, nil
	}
	var v crdt.Visitors
	defer v.Release()
	if whole.Version >= 0 {
		if err := v.Decode(whole.Value); err != nil {
			return 0, nil, err
		}
	}
	for _, p := range u.parts {
		if p.Version <= whole.Version || !p.Delta {
			continue
		}
		members, err := crdt.DeltaMembers(p.Value)
		if err != nil {
			return 0, nil, err
		}
		if err := v.Grow(members); err != nil {
			return 0, nil, err
		}
	}
	u.buf = v.Append(u.buf[:0])
	return version, u.buf, nil
}
