package crdt

import (
	"encoding/binary"
	"fmt"
)

// A delta is what a set of visitors gained since it was last written. A popular
// cell has 16 KiB and changes with almost every batch, but gains only a few members
// each time. Sets only grow, so a delta may be merged with the set at any time,
// in any order and more than once.
//
//	0x03 | members u64 little-endian, 8 bytes each, in any order
const kindDelta = 0x03

// BeginDelta appends the header of a delta; members follow with AppendMember.
func BeginDelta(dst []byte) []byte { return append(dst, kindDelta) }

// AppendMember appends a member to a delta.
func AppendMember(dst []byte, h uint64) []byte { return binary.LittleEndian.AppendUint64(dst, h) }

// DeltaBytes returns the length of a delta of n members.
func DeltaBytes(n int) int { return 1 + 8*n }

// IsDelta reports whether bytes are a delta and not a cell.
func IsDelta(b []byte) bool { return len(b) > 0 && b[0] == kindDelta }

// DeltaMembers returns the members of a delta as bytes, to append to another.
func DeltaMembers(b []byte) ([]byte, error) {
	if !IsDelta(b) || len(b)%8 != 1 {
		return nil, fmt.Errorf("%w: no delta in %d bytes", ErrCorrupt, len(b))
	}
	return b[1:], nil
}

// Grow adds members in the form that DeltaMembers returns.
func (v *Visitors) Grow(members []byte) error {
	if len(members)%8 != 0 {
		return fmt.Errorf("%w: members in %d bytes", ErrCorrupt, len(members))
	}
	for ; len(members) > 0; members = members[8:] {
		v.Add(binary.LittleEndian.Uint64(members))
	}
	return nil
}
