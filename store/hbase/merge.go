package hbase

import (
	"speedlayer/crdt"
	"speedlayer/store"
)

// part is the content of one column of a cell. The column tells whether it is a
// delta. The value cannot tell, because a count of 3 begins with the same byte.
type part struct {
	version int64
	value   []byte
	delta   bool
}

// merger builds one cell from its parts: the whole, and what it gained since. Its
// memory may be reused.
type merger struct {
	parts []part
	buf   []byte
}

func (u *merger) reset()     { u.parts = u.parts[:0] }
func (u *merger) add(p part) { u.parts = append(u.parts, p) }

// cell returns the cell at the highest version of its parts. Deltas that are
// not above the whole add nothing. value is valid until the next call.
func (u *merger) cell() (version int64, value []byte, err error) {
	whole := part{version: -1}
	for _, p := range u.parts {
		version = max(version, p.version)
		if !p.delta {
			whole = p
		}
	}
	if version == whole.version {
		return version, whole.value, nil
	}
	var v crdt.Visitors
	defer v.Release()
	if whole.version >= 0 {
		if err := v.Decode(whole.value); err != nil {
			return 0, nil, err
		}
	}
	for _, p := range u.parts {
		if p.version <= whole.version || !p.delta {
			continue
		}
		members, err := crdt.DeltaMembers(p.value)
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

var _ store.TakesDeltas = (*Store)(nil)
