package oracle

import (
	"encoding/binary"
	"fmt"

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

// A serialized HLL_8 sketch (DataSketches, serial version 1), 40 bytes and the
// registers:
//
//	0 preamble ints 10 | 1 version 1 | 2 family 7 | 3 lgK | 4 unused
//	5 flags: out of order 16, derived fields are to be made anew 32
//	6 lowest register | 7 mode: HLL 2 + type HLL_8 2<<2
//	8-39 fields derived from the registers and their order
const sketchHeader = 40

// estimate is the library's estimate of how many persons registers stand for,
// without what the order of updates would tell.
func estimate(registers []byte) float64 {
	b := make([]byte, sketchHeader, sketchHeader+registerCount)
	copy(b, []byte{10, 1, 7, lgK, 0, 16 | 32, 0, 2 | 2<<2})
	s, err := hll.NewHllSketchFromSlice(append(b, registers...), true)
	if err != nil {
		panic(err)
	}
	e, err := s.GetCompositeEstimate()
	if err != nil {
		panic(err)
	}
	return e
}
