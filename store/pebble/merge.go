package pebble

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/crdt"
	"speedlayer/store"
)

// merger merges deltas of visitor sets (store.Cell) with the set below them,
// when the cell is read or its table compacted. It has the name of Pebble's default
// merger, because directories without deltas were created under that name, and
// Pebble refuses to open them under another.
var merger = &pebble.Merger{
	Name: "pebble.concatenate",
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		u := &merging{}
		return u, u.add(value)
	},
}

// merging is one cell whose parts come in any order. Its version is the highest of
// all parts: the writer of that part had seen all that the others hold (see Apply).
type merging struct {
	version int64
	set     []byte // a copy of the whole set's bytes; nil if none came
	members []byte // of all deltas
}

func (u *merging) add(value []byte) error {
	version, b, err := parseCellValue(value)
	if err != nil {
		return err
	}
	u.version = max(u.version, version)
	if crdt.IsDelta(b) {
		members, err := crdt.DeltaMembers(b)
		u.members = append(u.members, members...)
		return err
	}
	if u.set != nil {
		return fmt.Errorf("%w: two sets of one cell in a merge", store.ErrCorrupt)
	}
	u.set = append([]byte{}, b...)
	return nil
}

// MergeNewer implements pebble.ValueMerger.
func (u *merging) MergeNewer(value []byte) error { return u.add(value) }

// MergeOlder implements pebble.ValueMerger.
func (u *merging) MergeOlder(value []byte) error { return u.add(value) }

// Finish implements pebble.ValueMerger. It returns a whole set if all parts were
// given, otherwise one delta made of all deltas.
func (u *merging) Finish(includesBase bool) ([]byte, io.Closer, error) {
	out := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(u.set)+len(u.members)+1), uint64(u.version))
	if !includesBase && u.set == nil {
		return append(crdt.BeginDelta(out), u.members...), nil, nil
	}
	var v crdt.Visitors
	if u.set != nil {
		if err := v.Decode(u.set); err != nil {
			return nil, nil, err
		}
	}
	if err := v.Grow(u.members); err != nil {
		return nil, nil, err
	}
	out = v.Append(out)
	v.Release()
	return out, nil, nil
}
