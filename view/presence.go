package view

import "math"

// presence knows of most cells that the store cannot have them, so that nobody
// looks: where pages are many, most cells that are not in the cache are new.
//
// A cell that the store has was changed by an event. Events that some other
// processor ran before this one took over are told of by their hour alone: the
// cells of every hour up to floor may be there. Whatever this one changed itself
// is in its cache, except for what left it: that is in the filter, a Bloom
// filter (Bloom 1970) over slots. It errs to one side only: a cell that is said
// to be missing may turn out not to be there, never the other way round.
//
// No cell lies in a later hour than newest, the latest hour of any event of the
// partition so far, counted or not: a visit starts with one of its views.
type presence struct {
	newest int32
	floor  int32
	bits   []uint64 // filter of slots that left the cache; nil while none did
	left   int      // slots in it
}

// noHour is before every hour.
const noHour = math.MinInt32

// The filter: with at most one slot for 16 bits and two probes, one new cell in
// 70 is looked for in vain. 256 KiB, made when the first slot leaves.
const (
	filterBits = 1 << 21
	filterMost = filterBits / 16
)

// begin starts a generation, which has no cells yet.
func (p *presence) begin() { p.floor = noHour; p.clear() }

// restart takes over: of the hours so far, other processors may have made cells.
func (p *presence) restart(newest int32) { p.newest = newest; p.unknown() }

// see takes note of an event's hour. If it is not live, its cells are in the
// store already.
func (p *presence) see(hour int32, live bool) {
	p.newest = max(p.newest, hour)
	if !live {
		p.floor = p.newest
	}
}

// may reports whether the store may have cells of a slot that is not in the cache.
func (p *presence) may(hash uint64, hour int32) bool {
	if hour <= p.floor {
		return true
	}
	if p.left == 0 {
		return false
	}
	a, b := probes(hash)
	return p.bits[a>>6]>>(a&63)&1 == 1 && p.bits[b>>6]>>(b&63)&1 == 1
}

// gone takes note of a slot that leaves the cache. A full filter is given up for
// the hours so far; those to come are told apart again.
func (p *presence) gone(hash uint64, hour int32) {
	if hour <= p.floor {
		return
	}
	if p.left == filterMost {
		p.unknown()
		return
	}
	if p.bits == nil {
		p.bits = make([]uint64, filterBits/64)
	}
	a, b := probes(hash)
	p.bits[a>>6] |= 1 << (a & 63)
	p.bits[b>>6] |= 1 << (b & 63)
	p.left++
}

// unknown forgets all but the hours.
func (p *presence) unknown() { p.floor = p.newest; p.clear() }

func (p *presence) clear() {
	if p.left > 0 {
		clear(p.bits)
		p.left = 0
	}
}

func probes(hash uint64) (a, b uint64) {
	return hash & (filterBits - 1), hash >> 40 & (filterBits - 1)
}
