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

// A count's delta is what to add to a count. Unlike a set's, it may be added only once.
//
//	0x04 | n uvarint
//
// No cell has these bytes: a count that begins with 0x03 or 0x04 has one byte, and
// each delta has more.
const kindCountDelta = 0x04

// AppendCountDelta appends a delta of a count.
func AppendCountDelta(dst []byte, n uint64) []byte {
	return binary.AppendUvarint(append(dst, kindCountDelta), n)
}

// IsCountDelta reports whether bytes are a delta of a count.
func IsCountDelta(b []byte) bool { return len(b) > 1 && b[0] == kindCountDelta }

// CountDelta is the inverse of AppendCountDelta.
func CountDelta(b []byte) (uint64, error) {
	if !IsCountDelta(b) {
		return 0, fmt.Errorf("%w: not a delta of a count: %d bytes", ErrCorrupt, len(b))
	}
	return Count(b[1:])
}

// BeginDelta appends the header of a delta; members follow with AppendMember.
func BeginDelta(dst []byte) []byte { return append(dst, kindDelta) }

// AppendMember appends a member to a delta.
func AppendMember(dst []byte, h uint64) []byte { return binary.LittleEndian.AppendUint64(dst, h) }

// DeltaBytes returns the length of a delta of n members.
func DeltaBytes(n int) int { return 1 + 8*n }

// IsDelta reports whether bytes are a delta of a set.
func IsDelta(b []byte) bool { return len(b) > 1 && b[0] == kindDelta }

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
