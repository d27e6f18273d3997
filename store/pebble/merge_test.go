package pebble

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"speedlayer/crdt"
	"speedlayer/store"
)

// Parts of a cell merged in any grouping, oldest or newest first, give the same
// bytes: compactions merge whatever parts they meet.
func TestMergingIsAssociative(t *testing.T) {
	for range 200 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		var whole crdt.Visitors
		for range r.IntN(40) {
			whole.Add(r.Uint64())
		}
		parts := [][]byte{whole.Append(binary.AppendUvarint(nil, 1))}
		for v := range uint64(1 + r.IntN(20)) {
			delta := crdt.BeginDelta(binary.AppendUvarint(nil, v+2))
			for range 1 + r.IntN(300) {
				h := r.Uint64()
				whole.Add(h)
				delta = crdt.AppendMember(delta, h)
			}
			parts = append(parts, delta)
		}
		want := whole.Append(binary.AppendUvarint(nil, uint64(len(parts))))
		for len(parts) > 1 { // merges neighbours
			i := r.IntN(len(parts) - 1)
			j := i + 2 + r.IntN(len(parts)-i-1)
			merged := mergeParts(t, r, parts[i:j], i == 0)
			parts = append(parts[:i], append([][]byte{merged}, parts[j:]...)...)
		}
		if string(parts[0]) != string(want) {
			t.Fatalf("seed %d: merged %x, want %x", seed, parts[0], want)
		}
	}
}

// So it is with counts.
func TestMergingCounts(t *testing.T) {
	for range 200 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		n := r.Uint64N(1 << 40)
		parts := [][]byte{crdt.AppendCount(binary.AppendUvarint(nil, 1), n)}
		for v := range uint64(1 + r.IntN(20)) {
			more := r.Uint64N(9)
			n += more
			parts = append(parts, crdt.AppendCountDelta(binary.AppendUvarint(nil, v+2), more))
		}
		want := crdt.AppendCount(binary.AppendUvarint(nil, uint64(len(parts))), n)
		for len(parts) > 1 {
			i := r.IntN(len(parts) - 1)
			j := i + 2 + r.IntN(len(parts)-i-1)
			merged := mergeParts(t, r, parts[i:j], i == 0)
			parts = append(parts[:i], append([][]byte{merged}, parts[j:]...)...)
		}
		if string(parts[0]) != string(want) {
			t.Fatalf("seed %d: merged %x, want %x", seed, parts[0], want)
		}
	}
}

func mergeParts(t *testing.T, r *rand.Rand, parts [][]byte, base bool) []byte {
	t.Helper()
	newer := r.IntN(2) == 0
	at := func(i int) []byte {
		if newer {
			return parts[i]
		}
		return parts[len(parts)-1-i]
	}
	m, err := merger.Merge(nil, at(0))
	for i := 1; i < len(parts) && err == nil; i++ {
		if newer {
			err = m.MergeNewer(at(i))
		} else {
			err = m.MergeOlder(at(i))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := m.Finish(base)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMergingOfNoCell(t *testing.T) {
	set := new(crdt.Visitors).Append(binary.AppendUvarint(nil, 3))
	for name, parts := range map[string][2][]byte{
		"no version":       {set, {}},
		"cut in a member":  {set, append(crdt.BeginDelta([]byte{4}), 1, 2, 3)},
		"two sets":         {set, set},
		"nothing after it": {{4}, crdt.BeginDelta([]byte{5})},
	} {
		m, err := merger.Merge(nil, parts[0])
		if err == nil {
			if err = m.MergeNewer(parts[1]); err == nil {
				_, _, err = m.Finish(true)
			}
		}
		if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, crdt.ErrCorrupt) {
			t.Errorf("%s: %v, want that it is corrupt", name, err)
		}
	}
}
