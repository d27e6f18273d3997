package views

import (
	"encoding/binary"
	"fmt"

	"speedlayer/store"
)

// The cells of one url in a table are grouped into packs. Most urls have few cells,
// and with a key each the keys would be most of the bytes. The key of a pack ends
// with its last bucket, so the first key at or above a bucket is the key of the pack
// that contains it:
//
//	url | 0x00 | last bucket u32 big-endian
//
// A url contains no 0x00, so keys sort as urls do. The value of a pack is its
// cells, ascending:
//
//	the first bucket, then differences to the previous bucket, uvarint |
//	length uvarint | bytes
//
// A pack is closed when it has packBytes or more.
const packBytes = 2 << 10

const keyTail = 1 + 4

func appendKey[T string | []byte](dst []byte, url T, bucket int32) []byte {
	return binary.BigEndian.AppendUint32(append(append(dst, url...), 0), uint32(bucket))
}

func splitKey(key []byte) (url []byte, last int32, err error) {
	n := len(key) - keyTail
	if n < 0 || key[n] != 0 || key[n+1] > 0x7f {
		return nil, 0, fmt.Errorf("%w: a key of %d bytes", store.ErrCorrupt, len(key))
	}
	return key[:n], int32(binary.BigEndian.Uint32(key[n+1:])), nil
}

// pack collects cells.
type pack struct {
	b    []byte
	last int32
}

func (p *pack) add(bucket int32, value []byte) {
	by := bucket
	if len(p.b) > 0 {
		by -= p.last
	}
	p.b = binary.AppendUvarint(p.b, uint64(by))
	p.b = binary.AppendUvarint(p.b, uint64(len(value)))
	p.b = append(p.b, value...)
	p.last = bucket
}

// unpack calls fn with the cells of a pack in from <= bucket < to. more reports
// that cells after the pack may be in the range too.
func unpack(b []byte, from, to int32, fn func(bucket int32, value []byte) error) (more bool, err error) {
	var bucket uint64
	for len(b) > 0 {
		by, n := binary.Uvarint(b)
		if n <= 0 {
			return false, errPack
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return false, errPack
		}
		value := b[n+m : n+m+int(size)]
		b = b[n+m+int(size):]
		bucket += by
		switch {
		case bucket >= uint64(to):
			return false, nil
		case bucket >= uint64(from):
			if err := fn(int32(bucket), value); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

var errPack = fmt.Errorf("%w: a pack of cells", store.ErrCorrupt)
