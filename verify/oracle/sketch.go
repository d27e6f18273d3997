package oracle

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/datasketches-go/hll"
)

// Sketches are Apache DataSketches HLL with lgK 14: 16,384 registers, each the
// highest value of the persons that fall on it.
const (
	lgK           = 14
	registerCount = 1 << lgK
)

// coupon is what one person does to a sketch: value in register slot. It is
// read out of a sketch of the library that has had this one person: bytes 8-11
// of its serialized form are value<<26 | slot, little-endian, in list mode.
func coupon(hash uint64) (slot int, value byte) {
	s, err := hll.NewHllSketch(lgK, hll.TgtHllTypeHll8)
	if err == nil {
		err = s.UpdateInt64(int64(hash))
	}
	var b []byte
	if err == nil {
		b, err = s.ToCompactSlice()
	}
	if err != nil || len(b) != 12 {
		panic(fmt.Sprintf("oracle: sketch of one person has %d bytes, %v", len(b), err))
	}
	c := binary.LittleEndian.Uint32(b[8:])
	return int(c & (registerCount - 1)), byte(c >> 26)
}

func addRegister(registers []byte, hash uint64) {
	slot, value := coupon(hash)
	registers[slot] = max(registers[slot], value)
}

// mergeRegisters makes a the registers of the union.
func mergeRegisters(a, b []byte) {
	for i := range a {
		a[i] = max(a[i], b[i])
	}
}

// sketchHeader is what stands before the registers in a sketch's bytes, see
// appendSketch.
const sketchHeader = 40

// appendSketch writes a serialized HLL_8 sketch (DataSketches, serial version
// 1), 40 bytes and the registers; numbers are little-endian:
//
//	0 preamble ints 10 | 1 version 1 | 2 family 7 | 3 lgK | 4 unused
//	5 flags: out of order 16 | 6 lowest register 0 | 7 mode HLL 2, type HLL_8 8
//	8 f64 of the order of updates: 0 | 16, 24 f64 sums of 2^-register, for
//	registers below 32 and others | 32 u32 registers that are 0 | 36 u32 0
func appendSketch(b, registers []byte) []byte {
	var low, high float64
	zeros := uint32(0)
	for _, r := range registers {
		if r < 32 {
			low += math.Ldexp(1, -int(r))
		} else {
			high += math.Ldexp(1, -int(r))
		}
		if r == 0 {
			zeros++
		}
	}
	b = append(b, 10, 1, 7, lgK, 0, 16, 0, 2|8)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(low))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(high))
	b = binary.LittleEndian.AppendUint32(b, zeros)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return append(b, registers...)
}

// estimate is the library's estimate of how many persons registers stand for,
// without what the order of updates would tell.
func estimate(registers []byte) float64 {
	s, err := hll.NewHllSketchFromSlice(appendSketch(nil, registers), true)
	if err != nil {
		panic(err) // of our own making
	}
	e, err := s.GetCompositeEstimate()
	if err != nil {
		panic(err)
	}
	return e
}
