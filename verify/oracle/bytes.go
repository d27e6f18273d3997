package oracle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The bytes of cells, as stores have them:
//
//	pageviews  uvarint
//	bounces    varint visits (zig-zag) | varint bounces
//	uniques    0x01 | hashes ascending, u64 little-endian each: exact
//	           0x02 | a serialized sketch, see sketch.go

// Bytes are a cell's bytes.
func (v Value) Bytes(view View) []byte {
	switch {
	case view == Pageviews:
		return binary.AppendUvarint(nil, v.Pageviews)
	case view == Bounces:
		return binary.AppendVarint(binary.AppendVarint(nil, v.Visits), v.Bounces)
	case v.Registers != nil:
		return appendSketch([]byte{2}, v.Registers)
	}
	b := []byte{1}
	for _, h := range v.Hashes {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	return b
}

// ParseValue is the inverse of Bytes. Anything that Bytes would not write is an
// error.
func ParseValue(view View, b []byte) (v Value, err error) {
	switch {
	case view == Pageviews:
		v.Pageviews, _ = binary.Uvarint(b)
	case view == Bounces:
		n := 0
		v.Visits, n = binary.Varint(b)
		v.Bounces, _ = binary.Varint(b[max(0, n):])
	case view != Uniques:
		return v, fmt.Errorf("oracle: view %d", view)
	case len(b) == 1+sketchHeader+registerCount && b[0] == 2:
		v.Registers = slices.Clone(b[1+sketchHeader:])
	default:
		for rest := b[min(1, len(b)):]; len(rest) >= 8; rest = rest[8:] {
			v.Hashes = append(v.Hashes, binary.LittleEndian.Uint64(rest))
		}
		for i := 1; i < len(v.Hashes); i++ {
			if v.Hashes[i-1] >= v.Hashes[i] {
				return v, errors.New("oracle: hashes are not ascending")
			}
		}
	}
	if !bytes.Equal(v.Bytes(view), b) {
		return v, fmt.Errorf("oracle: no bytes of a cell of view %d", view)
	}
	return v, nil
}

// String is short: of many persons it reports how many.
func (v Value) String() string {
	switch {
	case v.Registers != nil:
		return fmt.Sprintf("a sketch of about %.0f visitors", estimate(v.Registers))
	case len(v.Hashes) > 0:
		return fmt.Sprintf("%d visitors", len(v.Hashes))
	case v.Visits != 0 || v.Bounces != 0:
		return fmt.Sprintf("%d visits, %d bounces", v.Visits, v.Bounces)
	}
	return fmt.Sprintf("%d", v.Pageviews)
}
