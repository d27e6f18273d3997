package microbatch

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// dedupe remembers which (nonce, owner) pairs the log has had, each with the
// offset where it came first, for window of log time and bound pairs at most,
// oldest in the log first. A duplicate does not renew its pair (design, law 5).
//
// Pairs stand in a ring in log order, which is also the order of eviction. A
// pair is two 64-bit hashes. The index over the ring is open addressing with
// linear probing; an entry is the place in the ring plus one, with as many bits
// of the pair's hash above it as fit, so that most probes for a new pair touch
// the index alone.
type dedupe struct {
	window int64 // ms of log time
	bound  int

	ring  []pair // length is a power of two
	head  int    // place of the oldest
	count int
	base  pairBase

	index    []uint32
	mask     uint64
	placeLow uint32 // mask of the bits of an index entry that hold place+1
}

// pair is 24 bytes: there are half a million of them a partition.
type pair struct {
	nonce, owner uint64
	offset, time uint32 // since base
}

type pairBase struct{ offset, time int64 }

func newDedupe(window int64, bound int) *dedupe {
	d := &dedupe{}
	d.reset(window, bound)
	return d
}

func (d *dedupe) reset(window int64, bound int) {
	*d = dedupe{window: window, bound: bound}
	d.resize(1 << 10)
}

// limit sets new bounds, which take effect with the next pair.
func (d *dedupe) limit(window int64, bound int) { d.window, d.bound = window, bound }

// first reports whether (nonce, owner) is new at offset, and if so remembers
// it. now is log time.
func (d *dedupe) first(nonce, owner uint64, offset, now int64) bool {
	d.evictBefore(now)
	h := pairHash(nonce, owner)
	if at := d.find(h, nonce, owner); at >= 0 {
		if d.base.offset+int64(d.ring[at].offset) < offset {
			return false
		}
		return true // the very record that is remembered
	}
	for d.count >= d.bound { // before the push, so that the ring need not hold one more
		d.pop()
	}
	d.push(h, nonce, owner, offset, now)
	return true
}

func (d *dedupe) evictBefore(now int64) {
	for d.count > 0 && d.base.time+int64(d.ring[d.head].time) < now-d.window {
		d.pop()
	}
}

// oldest is the log time at which the oldest pair was remembered; 0 with none.
func (d *dedupe) oldest() int64 {
	if d.count == 0 {
		return 0
	}
	return d.base.time + int64(d.ring[d.head].time)
}

func pairHash(nonce, owner uint64) uint64 {
	return (nonce ^ owner*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
}

func (d *dedupe) entry(h uint64, place int) uint32 {
	return uint32(h)&^d.placeLow | uint32(place+1)
}

func (d *dedupe) find(h, nonce, owner uint64) int {
	for p := h >> 32 & d.mask; ; p = (p + 1) & d.mask {
		e := d.index[p]
		if e == 0 {
			return -1
		}
		if (e^uint32(h))&^d.placeLow != 0 {
			continue
		}
		place := int(e&d.placeLow) - 1
		if r := &d.ring[place]; r.nonce == nonce && r.owner == owner {
			return place
		}
	}
}

func (d *dedupe) push(h, nonce, owner uint64, offset, now int64) {
	if d.count == len(d.ring) {
		d.resize(2 * len(d.ring))
	}
	for d.count > 0 && (offset-d.base.offset > 1<<32-1 || now-d.base.time > 1<<32-1) {
		if d.ring[d.head].offset == 0 && d.ring[d.head].time == 0 {
			d.pop() // the base already: that many duplicates in a window
		}
		d.rebase()
	}
	if d.count == 0 {
		d.base = pairBase{offset, now}
	}
	place := (d.head + d.count) & (len(d.ring) - 1)
	d.ring[place] = pair{nonce, owner, uint32(offset - d.base.offset), uint32(now - d.base.time)}
	d.count++
	p := h >> 32 & d.mask
	for d.index[p] != 0 {
		p = (p + 1) & d.mask
	}
	d.index[p] = d.entry(h, place)
}

// rebase counts offsets and times from the oldest pair on. The window is under
// 2^32 ms, so times fit afterwards; a ring whose offsets still do not fit gives
// up its oldest pairs, which is decided by the log alone.
func (d *dedupe) rebase() {
	if d.count == 0 {
		return
	}
	old := d.base
	first := d.ring[d.head]
	d.base = pairBase{old.offset + int64(first.offset), old.time + int64(first.time)}
	for i := range d.count {
		r := &d.ring[(d.head+i)&(len(d.ring)-1)]
		r.offset -= first.offset
		r.time -= first.time
	}
}

func (d *dedupe) pop() {
	place := d.head
	r := &d.ring[place]
	d.unindex(pairHash(r.nonce, r.owner), place)
	d.head = (d.head + 1) & (len(d.ring) - 1)
	d.count--
}

// unindex takes the entry of a place out of the index and moves those after
// it up, so that no marker of a deletion is needed (Knuth, vol. 3, 6.4, R).
func (d *dedupe) unindex(h uint64, place int) {
	hole := h >> 32 & d.mask
	for d.index[hole]&d.placeLow != uint32(place+1) {
		hole = (hole + 1) & d.mask
	}
	for p := (hole + 1) & d.mask; d.index[p] != 0; p = (p + 1) & d.mask {
		r := &d.ring[d.index[p]&d.placeLow-1]
		home := pairHash(r.nonce, r.owner) >> 32 & d.mask
		if (p-home)&d.mask >= (p-hole)&d.mask {
			d.index[hole] = d.index[p]
			hole = p
		}
	}
	d.index[hole] = 0
}

// resize makes room for size pairs, a power of two, and indexes all pairs again.
func (d *dedupe) resize(size int) {
	ring := make([]pair, size)
	for i := range d.count {
		ring[i] = d.ring[(d.head+i)&(len(d.ring)-1)]
	}
	d.ring, d.head = ring, 0
	d.index = make([]uint32, 2*size)
	d.mask = uint64(2*size - 1)
	d.placeLow = uint32(2*size - 1) // place+1 <= size
	for place := range d.count {
		h := pairHash(ring[place].nonce, ring[place].owner)
		p := h >> 32 & d.mask
		for d.index[p] != 0 {
			p = (p + 1) & d.mask
		}
		d.index[p] = d.entry(h, place)
	}
}

// State, version 1, all numbers little-endian:
//
//	count u32, then per pair, oldest first, 32 bytes:
//	nonce u64 | owner u64 | offset i64 | log time i64
const pairBytes = 32

func (d *dedupe) appendState(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(d.count))
	for i := range d.count {
		r := &d.ring[(d.head+i)&(len(d.ring)-1)]
		dst = binary.LittleEndian.AppendUint64(dst, r.nonce)
		dst = binary.LittleEndian.AppendUint64(dst, r.owner)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d.base.offset+int64(r.offset)))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d.base.time+int64(r.time)))
	}
	return dst
}

func (d *dedupe) loadState(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: no count of pairs", errState)
	}
	n := int(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if n > len(b)/pairBytes {
		return nil, fmt.Errorf("%w: %d pairs in %d bytes", errState, n, len(b))
	}
	last := pairBase{offset: -1}
	if n > len(d.ring) {
		d.resize(1 << bits.Len(uint(n-1)))
	}
	for range n {
		nonce, owner := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		offset, time := int64(binary.LittleEndian.Uint64(b[16:])), int64(binary.LittleEndian.Uint64(b[24:]))
		h := pairHash(nonce, owner)
		if offset <= last.offset || time < last.time || d.find(h, nonce, owner) >= 0 {
			return nil, fmt.Errorf("%w: the pair at %d, log time %d, is out of order or there twice", errState, offset, time)
		}
		last = pairBase{offset, time}
		d.push(h, nonce, owner, offset, time)
		b = b[pairBytes:]
	}
	if d.count != n {
		return nil, fmt.Errorf("%w: pairs are too far apart to be remembered together", errState)
	}
	return b, nil
}
