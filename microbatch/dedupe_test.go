package microbatch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// naiveDedupe does what dedupe does, with a plain list in log order.
type naiveDedupe struct {
	window int64
	bound  int
	all    []naivePair
}

type naivePair struct {
	nonce, owner uint64
	offset, time int64
}

// most is how far apart, in offsets or ms, two pairs may lie that are remembered
// together.
const most = 1<<32 - 1

func (n *naiveDedupe) first(nonce, owner uint64, offset, now int64) bool {
	n.all = slices.DeleteFunc(n.all, func(p naivePair) bool { return p.time < now-n.window })
	for _, p := range n.all {
		if p.nonce == nonce && p.owner == owner {
			return p.offset >= offset
		}
	}
	n.all = n.all[max(0, len(n.all)-n.bound+1):]
	n.all = slices.DeleteFunc(n.all, func(p naivePair) bool { return offset-p.offset > most || now-p.time > most })
	n.all = append(n.all, naivePair{nonce, owner, offset, now})
	return true
}

func (n *naiveDedupe) state() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(n.all)))
	for _, p := range n.all {
		for _, x := range []uint64{p.nonce, p.owner, uint64(p.offset), uint64(p.time)} {
			b = binary.LittleEndian.AppendUint64(b, x)
		}
	}
	return b
}

func TestDedupeAgainstNaive(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		if err := compareDedupe(rand.New(rand.NewPCG(seed, 7))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// compareDedupe runs random pairs through both, with windows and bounds that
// bite and change, offsets and times that leap over what 32 bits hold, and
// restarts.
func compareDedupe(r *rand.Rand) error {
	window := func() int64 { return r.Int64N(3) * r.Int64N(1000) }
	if r.IntN(4) == 0 { // the longest, against leaps of time
		window = func() int64 { return 24 * 24 * 3600 * 1000 }
	}
	bound := func() int { return 1 + r.IntN(30) }
	naive := &naiveDedupe{window: window(), bound: bound()}
	d := newDedupe(naive.window, naive.bound)
	leaps := r.IntN(2) == 0
	offset, now := r.Int64N(3), int64(0)
	for i := range 600 {
		switch r.IntN(50) {
		case 0: // as at a marker
			naive.window, naive.bound = window(), bound()
			d.limit(naive.window, naive.bound)
		case 1:
			state := d.appendState(nil)
			d = newDedupe(naive.window, naive.bound)
			if rest, err := d.loadState(state); err != nil || len(rest) > 0 {
				return fmt.Errorf("pair %d: state does not load: %v, %d bytes left", i, err, len(rest))
			}
		case 2:
			if leaps {
				offset += r.Int64N(3) * (1<<32 - 1 - r.Int64N(3)) / 2
			}
		case 3:
			if leaps {
				now += r.Int64N(30 * 24 * 3600 * 1000) // longer than any window, or shorter
			}
		}
		nonce, owner := uint64(r.IntN(20))<<60, uint64(r.IntN(3))
		got, want := d.first(nonce, owner, offset, now), naive.first(nonce, owner, offset, now)
		if got != want {
			return fmt.Errorf("pair %d (%x, %d) at %d, log time %d: first is %v, want %v", i, nonce, owner, offset, now, got, want)
		}
		if r.IntN(5) == 0 { // the very record again, or one before it
			if got, want := d.first(nonce, owner, offset, now), naive.first(nonce, owner, offset, now); got != want {
				return fmt.Errorf("pair %d once more at its own offset: first is %v, want %v", i, got, want)
			}
		}
		if a, b := d.appendState(nil), naive.state(); !bytes.Equal(a, b) {
			return fmt.Errorf("pair %d at %d, log time %d: state\n%x, want\n%x", i, offset, now, a, b)
		}
		want2 := int64(0)
		if len(naive.all) > 0 {
			want2 = naive.all[0].time
		}
		if d.oldest() != want2 {
			return fmt.Errorf("pair %d: the oldest pair is of %d, want %d", i, d.oldest(), want2)
		}
		offset += 1 + r.Int64N(3)
		now += r.Int64N(100)
	}
	return nil
}

// Exactly the window is still remembered, and a duplicate does not renew its
// pair.
func TestDedupeWindow(t *testing.T) {
	d := newDedupe(1000, 10)
	for _, c := range []struct {
		offset, now int64
		first       bool
	}{{0, 0, true}, {1, 600, false}, {2, 1000, false}, {3, 1001, true}, {4, 2001, false}, {5, 2002, true}} {
		if got := d.first(1, 1, c.offset, c.now); got != c.first {
			t.Errorf("offset %d, log time %d: first is %v", c.offset, c.now, got)
		}
	}
}

// The bound takes the oldest in the log, and the ring grows to it and no more.
func TestDedupeBound(t *testing.T) {
	const bound = 3000
	d := newDedupe(1<<40, bound)
	for i := range int64(3 * bound) {
		if !d.first(uint64(i), 0, i, 0) {
			t.Fatalf("pair %d is not new", i)
		}
	}
	if d.count != bound || len(d.ring) != 4096 {
		t.Errorf("%d pairs in a ring of %d, want %d in 4096", d.count, len(d.ring), bound)
	}
	if d.first(2*bound, 0, 3*bound, 0) {
		t.Error("the oldest within the bound is forgotten")
	}
	if !d.first(2*bound-1, 0, 3*bound+1, 0) {
		t.Error("the newest beyond the bound is remembered")
	}
}

// Nonce and owner together are the pair.
func TestDedupePair(t *testing.T) {
	d := newDedupe(1000, 10)
	for i, p := range [][2]uint64{{1, 2}, {2, 1}, {1, 1}, {0, 0}} {
		if !d.first(p[0], p[1], int64(i), 0) {
			t.Errorf("%v is taken for another pair", p)
		}
	}
}

func FuzzDedupeState(f *testing.F) {
	d := newDedupe(1000, 8)
	f.Add(d.appendState(nil))
	for i := range int64(12) {
		d.first(uint64(i%7), uint64(i%2), i*i, i*100)
	}
	good := d.appendState(nil)
	f.Add(good)
	f.Add(good[:len(good)-3])
	swapped := slices.Concat(good[:4], good[4+pairBytes:4+2*pairBytes], good[4:4+pairBytes], good[4+2*pairBytes:])
	f.Add(swapped)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDedupe(1000, 8)
		rest, err := d.loadState(b)
		if err != nil {
			return
		}
		if again := d.appendState(nil); !bytes.Equal(again, b[:len(b)-len(rest)]) {
			t.Fatalf("%x comes back as %x", b, again)
		}
		for n := uint64(0); d.count > 0 && n < 20; n++ { // it works, and forgets
			newest := d.ring[(d.head+d.count-1)&(len(d.ring)-1)]
			at := d.base.offset + int64(newest.offset)
			if at >= 1<<62 || d.base.time >= 1<<62 {
				return
			}
			d.first(newest.nonce+n, newest.owner, at+1, d.base.time+int64(newest.time)+100)
		}
	})
}

func TestDedupeStateRejects(t *testing.T) {
	pair := func(nonce uint64, offset, time int64) []byte {
		b := binary.LittleEndian.AppendUint64(nil, nonce)
		for _, x := range []int64{5, offset, time} {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
		return b
	}
	state := func(n uint32, pairs ...[]byte) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, n), bytes.Join(pairs, nil)...)
	}
	for name, b := range map[string][]byte{
		"nothing":               nil,
		"no count":              {1, 0, 0},
		"more pairs than bytes": state(2, pair(1, 0, 0)),
		"offsets not ascending": state(2, pair(1, 7, 0), pair(2, 7, 0)),
		"times going back":      state(2, pair(1, 7, 1), pair(2, 8, 0)),
		"a pair twice":          state(2, pair(1, 7, 1), pair(1, 8, 1)),
		"below the log":         state(1, pair(1, -1, 0)),
		"too far apart":         state(2, pair(1, 0, 0), pair(2, 1<<32, 0)),
	} {
		if _, err := newDedupe(1000, 8).loadState(b); err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
}
