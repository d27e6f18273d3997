package pebble

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/crdt"
	"speedlayer/store"
)

// merger merges deltas (store.Cell) with the whole cell below them, if there is
// one, when the cell is read or its table compacted. It has the name of Pebble's default
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
	whole   []byte // a copy of the whole cell's bytes; nil if none came
	members []byte // of all deltas of a set
	counts  bool   // the cell is a count
	sum     uint64 // of all deltas of a count
}

func (u *merging) add(value []byte) error {
	version, b, err := parseCellValue(value)
	if err != nil {
		return err
	}
	u.version = max(u.version, version)
	switch {
	case crdt.IsCountDelta(b):
		n, err := crdt.CountDelta(b)
		u.counts = true
		u.sum += n
		return err
	case crdt.IsDelta(b):
		members, err := crdt.DeltaMembers(b)
		u.members = append(u.members, members...)
		return err
	case u.whole != nil:
		return fmt.Errorf("%w: two whole cells in a merge", store.ErrCorrupt)
	}
	u.whole = append([]byte{}, b...)
	return nil
}

// MergeNewer implements pebble.ValueMerger.
func (u *merging) MergeNewer(value []byte) error { return u.add(value) }

// MergeOlder implements pebble.ValueMerger.
func (u *merging) MergeOlder(value []byte) error { return u.add(value) }

// Finish implements pebble.ValueMerger. It returns a whole cell if all parts were
// given, otherwise one delta made of all deltas.
func (u *merging) Finish(includesBase bool) ([]byte, io.Closer, error) {
	out := binary.AppendUvarint(make([]byte, 0, 2*binary.MaxVarintLen64+len(u.whole)+len(u.members)+1), uint64(u.version))
	complete := includesBase || u.whole != nil
	var err error
	switch {
	case u.counts && complete:
		out, err = u.count(out)
	case u.counts:
		out = crdt.AppendCountDelta(out, u.sum)
	case complete:
		out, err = u.set(out)
	default:
		out = append(crdt.BeginDelta(out), u.members...)
	}
	return out, nil, err
}

func (u *merging) count(out []byte) ([]byte, error) {
	n := u.sum
	if u.whole != nil {
		below, err := crdt.Count(u.whole)
		if err != nil {
			return nil, err
		}
		n += below
	}
	return crdt.AppendCount(out, n), nil
}

func (u *merging) set(out []byte) ([]byte, error) {
	var v crdt.Visitors
	if u.whole != nil {
		if err := v.Decode(u.whole); err != nil {
			return nil, err
		}
	}
	if err := v.Grow(u.members); err != nil {
		return nil, err
	}
	out = v.Append(out)
	v.Release()
	return out, nil
}
