package crdt

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"sync"

	"github.com/apache/datasketches-go/hll"
)

// A sketch is an Apache DataSketches HLL with lgK 14 and one byte a register
// (HLL_8), after Flajolet et al., "HyperLogLog", 2007. We keep only its registers.
// DataSketches also derives a value from the order of updates (HIP, Cohen 2014),
// which would make the bytes depend on that order.
const (
	lgK           = 14
	registerCount = 1 << lgK
)

type registers [registerCount]byte

// sketchPool keeps the registers of cells that were evicted from a cache.
var sketchPool = sync.Pool{New: func() any { return new(registers) }}

func newRegisters() *registers {
	r := sketchPool.Get().(*registers)
	*r = registers{}
	return r
}

// add puts the hash of a person into its register, as DataSketches does for a
// 64-bit integer. It reports whether the register grew.
func (r *registers) add(hash uint64) bool {
	lo, hi := murmur3(hash)
	value := byte(min(bits.LeadingZeros64(hi), 62) + 1)
	if slot := lo & (registerCount - 1); r[slot] < value {
		r[slot] = value
		return true
	}
	return false
}

// murmur3 computes MurmurHash3_x64_128 of the 8 bytes of v, little-endian, with
// the seed of DataSketches.
func murmur3(v uint64) (uint64, uint64) {
	const (
		seed = 9001
		c1   = 0x87c37b91114253d5
		c2   = 0x4cf5ad432745937f
	)
	h1 := uint64(seed) ^ bits.RotateLeft64(v*c1, 31)*c2 ^ 8
	h2 := uint64(seed) ^ 8
	h1 += h2
	h2 += h1
	h1, h2 = fmix(h1), fmix(h2)
	h1 += h2
	h2 += h1
	return h1, h2
}

func fmix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// merge makes r the registers of the union: the maximum of each pair. Values are
// below 128, so eight bytes are compared at once by their borrow bits.
func (r *registers) merge(o []byte) {
	const high = 0x8080808080808080
	for i := 0; i < registerCount; i += 8 {
		a, b := binary.LittleEndian.Uint64(r[i:]), binary.LittleEndian.Uint64(o[i:])
		if a == b {
			continue
		}
		ge := ((a | high) - b) & high // high bit set where a >= b
		mask := (ge >> 7) * 0xff
		binary.LittleEndian.PutUint64(r[i:], a&mask|b&^mask)
	}
}

// The bytes of a sketch are those of DataSketches, serial version 1, in HLL
// mode: 40 bytes and the registers. Numbers are little-endian:
//
//	0 preamble ints 10 | 1 version 1 | 2 family 7 | 3 lgK 14 | 4 unused 0
//	5 flags: 16, out of order | 6 lowest register 0 | 7 mode 2 + type HLL_8 2<<2
//	8 HIP accumulator f64 0 | 16 sum of 2^-r for r < 32 f64 | 24 the same for others f64
//	32 registers that are 0 u32 | 36 exceptions u32 0 | 40 registers
//
// Both sums are exact: at most 2^14 terms of at least 2^-31 fit in a float64.
const (
	sketchHeader = 40
	sketchBytes  = sketchHeader + registerCount
)

var sketchStart = [8]byte{10, 1, 7, lgK, 0, 16, 0, 2 | 2<<2}

func (r *registers) append(dst []byte) []byte {
	var number [64]int
	for _, v := range r {
		number[v&63]++
	}
	var low, high float64
	for v, n := range number {
		if v < 32 {
			low += float64(n) * math.Ldexp(1, -v)
		} else {
			high += float64(n) * math.Ldexp(1, -v)
		}
	}
	dst = append(dst, sketchStart[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(low))
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(high))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(number[0]))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return append(dst, r[:]...)
}

// sketchRegisters checks a sketch's bytes and returns its registers.
func sketchRegisters(b []byte) ([]byte, error) {
	if len(b) != sketchBytes || [8]byte(b[:8]) != sketchStart {
		return nil, fmt.Errorf("%w: no HLL_8 sketch of lgK %d in %d bytes", ErrCorrupt, lgK, len(b))
	}
	regs := b[sketchHeader:]
	const high = 0xc0c0c0c0c0c0c0c0
	var all uint64
	for i := 0; i < registerCount; i += 8 {
		all |= binary.LittleEndian.Uint64(regs[i:])
	}
	if all&high != 0 {
		return nil, fmt.Errorf("%w: a register over 63", ErrCorrupt)
	}
	return regs, nil
}

// estimate returns the composite estimate of DataSketches (the one for sketches out
// of order), computed by the library.
func (r *registers) estimate() (float64, error) {
	s, err := hll.NewHllSketchFromSlice(r.append(make([]byte, 0, sketchBytes)), true)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return s.GetCompositeEstimate()
}
