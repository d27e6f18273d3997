package crdt

import (
	"encoding/binary"
	"fmt"
)

// A growth is what a set of visitors gained since it was last written. A popular
// cell has 16 KiB and changes with almost every batch, but gains only a few members
// each time. Sets only grow, so a growth may be merged with the set at any time,
// in any order and more than once.
//
//	0x03 | members u64 little-endian, 8 bytes each, in any order
const kindGrowth = 0x03

// BeginGrowth appends the header of a growth; members follow with AppendMember.
func BeginGrowth(dst []byte) []byte { return append(dst, kindGrowth) }

// AppendMember appends a member to a growth.
func AppendMember(dst []byte, h uint64) []byte { return binary.LittleEndian.AppendUint64(dst, h) }

// GrowthBytes returns the length of a growth of n members.
func GrowthBytes(n int) int { return 1 + 8*n }

// IsGrowth reports whether bytes are a growth and not a cell.
func IsGrowth(b []byte) bool { return len(b) > 0 && b[0] == kindGrowth }

// GrowthMembers returns the members of a growth as bytes, to append to another.
func GrowthMembers(b []byte) ([]byte, error) {
	if !IsGrowth(b) || len(b)%8 != 1 {
		return nil, fmt.Errorf("%w: no growth in %d bytes", ErrCorrupt, len(b))
	}
	return b[1:], nil
}

// Grow adds members in the form that GrowthMembers returns.
func (v *Visitors) Grow(members []byte) error {
	if len(members)%8 != 0 {
		return fmt.Errorf("%w: members in %d bytes", ErrCorrupt, len(members))
	}
	for ; len(members) > 0; members = members[8:] {
		v.Add(binary.LittleEndian.Uint64(members))
	}
	return nil
}
