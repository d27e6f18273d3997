package hbase

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"speedlayer/crdt"
)

// Two writers that began with the same whole put it, and their deltas, into the
// same places, each of which keeps the highest version. Whichever put came last or
// was lost, the cell contains all members below its version.
func TestMerge(t *testing.T) {
	var u merger
	for range 300 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 8))
		places := map[int]part{}
		put := func(place int, p part) {
			if places[place].version <= p.version {
				places[place] = p
			}
		}
		at := [2]int{}    // the version of each writer
		place := [2]int{} // of its next delta
		for range 60 {
			w := r.IntN(2)
			from := at[w]
			at[w] += 1 + r.IntN(4)
			if place[w]++; place[w] > 5 || from == 0 {
				put(0, part{int64(at[w]), wholeTo(at[w]), false})
				place[w] = 0
			} else {
				put(place[w], part{int64(at[w]), deltaOf(from, at[w]), true})
			}
			u.reset()
			for _, p := range places { // in any order
				u.add(p)
			}
			version, value, err := u.cell()
			if want := max(at[0], at[1]); err != nil || version != int64(want) || !bytes.Equal(value, wholeTo(want)) {
				t.Fatalf("seed %d: version %d of %v, %v", seed, version, at, err)
			}
		}
	}
}

func member(v int) uint64 { return uint64(v) * 0x9e3779b97f4a7c15 }

// wholeTo returns the set of the members below a version.
func wholeTo(version int) []byte {
	var v crdt.Visitors
	for i := range version {
		v.Add(member(i))
	}
	return v.Append(nil)
}

func deltaOf(from, to int) []byte {
	b := crdt.BeginDelta(nil)
	for i := from; i < to; i++ {
		b = crdt.AppendMember(b, member(i))
	}
	return b
}

func TestMergeOfBadParts(t *testing.T) {
	var u merger
	u.add(part{1, []byte{9, 9}, false})
	u.add(part{2, deltaOf(0, 1), true})
	if _, _, err := u.cell(); !errors.Is(err, crdt.ErrCorrupt) {
		t.Errorf("a whole that is none: %v", err)
	}
	u.reset()
	u.add(part{2, deltaOf(0, 1)[:5], true})
	if _, _, err := u.cell(); !errors.Is(err, crdt.ErrCorrupt) {
		t.Errorf("half a delta: %v", err)
	}
}

// A delta begins with the same byte as a count of 3 or as visits of -2. A whole
// cell is what its column makes it.
func TestMergeOfCounts(t *testing.T) {
	for _, whole := range [][]byte{crdt.AppendCount(nil, 3), crdt.VisitCount{Visits: -2, Bounces: 1}.Append(nil)} {
		u := merger{}
		u.add(part{7, whole, false})
		if version, value, err := u.cell(); err != nil || version != 7 || !bytes.Equal(value, whole) {
			t.Errorf("version %d, value %x, %v: want 7, %x", version, value, err, whole)
		}
	}
}

// A count of 3 has the byte that a delta begins with, and is a count all the same.
func TestMergeOfACount(t *testing.T) {
	var u merger
	u.add(part{5, crdt.AppendCount(nil, 3), false})
	if version, value, err := u.cell(); err != nil || version != 5 || !bytes.Equal(value, []byte{3}) {
		t.Errorf("%x at %d, %v", value, version, err)
	}
}
