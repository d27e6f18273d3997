package parts

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
	var u Merger
	for range 300 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 8))
		places := map[int]Part{}
		put := func(place int, p Part) {
			if places[place].Version <= p.Version {
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
				put(0, Part{int64(at[w]), wholeTo(at[w]), false})
				place[w] = 0
			} else {
				put(place[w], Part{int64(at[w]), deltaOf(from, at[w]), true})
			}
			u.Reset()
			for _, p := range places { // in any order
				u.Add(p)
			}
			version, value, err := u.Cell()
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
	var u Merger
	u.Add(Part{1, []byte{9, 9}, false})
	u.Add(Part{2, deltaOf(0, 1), true})
	if _, _, err := u.Cell(); !errors.Is(err, crdt.ErrCorrupt) {
		t.Errorf("a whole that is none: %v", err)
	}
	u.Reset()
	u.Add(Part{2, deltaOf(0, 1)[:5], true})
	if _, _, err := u.Cell(); !errors.Is(err, crdt.ErrCorrupt) {
		t.Errorf("half a delta: %v", err)
	}
}

// A delta begins with the same byte as a count of 3 or as visits of -2. A whole
// cell is what its column makes it.
func TestMergeOfCounts(t *testing.T) {
	for _, whole := range [][]byte{crdt.AppendCount(nil, 3), crdt.VisitCount{Visits: -2, Bounces: 1}.Append(nil)} {
		u := Merger{}
		u.Add(Part{7, whole, false})
		if version, value, err := u.Cell(); err != nil || version != 7 || !bytes.Equal(value, whole) {
			t.Errorf("version %d, value %x, %v: want 7, %x", version, value, err, whole)
		}
	}
}

// A count of 3 has the byte that a delta begins with, and is a count all the same.
func TestMergeOfACount(t *testing.T) {
	var u Merger
	u.Add(Part{5, crdt.AppendCount(nil, 3), false})
	if version, value, err := u.Cell(); err != nil || version != 5 || !bytes.Equal(value, []byte{3}) {
		t.Errorf("%x at %d, %v", value, version, err)
	}
}
