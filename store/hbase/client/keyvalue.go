package client

import (
	"encoding/binary"
	"fmt"

	"speedlayer/store"
)

// A cell on the wire, as HBase's KeyValueCodec has it. Integers are big-endian.
//
//	length u32 | keylength u32 | valuelength u32
//	  | rowlength u16 | row | familylength u8 | family | qualifier
//	  | timestamp u64 | type u8 | value
//
// length counts all that follows it; type 4 is a put. gohbase gives all cells of a
// put one timestamp. Here each cell has its own, which is its version.
const (
	putType    = 4
	kvLengths  = 4 + 4 + 4
	kvKeyFixed = 2 + 1 + 8 + 1 // beside row, family and qualifier

	// MaxRowBytes is the longest row key.
	MaxRowBytes = 1<<15 - 1
	// MaxCellBytes is the largest cell (hbase.server.keyvalue.maxsize).
	MaxCellBytes = 10 << 20
)

// AppendKeyValue appends one put of a cell. The parts of its value are joined.
func AppendKeyValue(dst, row []byte, family string, qualifier []byte, timestamp uint64, values ...[]byte) []byte {
	key := kvKeyFixed + len(row) + len(family) + len(qualifier)
	value := 0
	for _, v := range values {
		value += len(v)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+key+value))
	dst = binary.BigEndian.AppendUint32(dst, uint32(key))
	dst = binary.BigEndian.AppendUint32(dst, uint32(value))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(row)))
	dst = append(dst, row...)
	dst = append(dst, byte(len(family)))
	dst = append(dst, family...)
	dst = append(dst, qualifier...)
	dst = binary.BigEndian.AppendUint64(dst, timestamp)
	dst = append(dst, putType)
	for _, v := range values {
		dst = append(dst, v...)
	}
	return dst
}

// CheckSize rejects what a region server would reject, together with every other
// put of the same batch and region.
func CheckSize(row []byte, values ...[]byte) error {
	if len(row) == 0 || len(row) > MaxRowBytes {
		return fmt.Errorf("hbase: a row key of %d bytes: allowed are 1 to %d", len(row), MaxRowBytes)
	}
	n := kvLengths + kvKeyFixed + len(row) + 64
	for _, v := range values {
		n += len(v)
	}
	if n > MaxCellBytes {
		return fmt.Errorf("hbase: a cell of %d bytes in row %.80q: allowed are %d", n, row, MaxCellBytes)
	}
	return nil
}

// RowOf returns the row of the first of some encoded cells.
func RowOf(cells []byte) []byte {
	return cells[kvLengths+2:][:binary.BigEndian.Uint16(cells[kvLengths:])]
}

// KeyValue is a cell as it was read. All parts alias the block that it came in.
type KeyValue struct {
	Row, Family, Qualifier, Value []byte
	Timestamp                     uint64
}

// NextKeyValue takes one cell from the front of a block.
func NextKeyValue(b []byte) (kv KeyValue, rest []byte, err error) {
	corrupt := func() (KeyValue, []byte, error) {
		return KeyValue{}, nil, fmt.Errorf("%w: a cell on the wire does not fit its lengths", store.ErrCorrupt)
	}
	if len(b) < kvLengths {
		return corrupt()
	}
	all := uint64(binary.BigEndian.Uint32(b))
	key, value := uint64(binary.BigEndian.Uint32(b[4:])), uint64(binary.BigEndian.Uint32(b[8:]))
	if all+4 > uint64(len(b)) || 8+key+value > all || key < kvKeyFixed {
		return corrupt()
	}
	rest = b[4+all:] // after the value there may be tags
	k := b[kvLengths : kvLengths+key]
	kv.Value = b[kvLengths+key : kvLengths+key+value]
	rowLen := int(binary.BigEndian.Uint16(k))
	if rowLen+kvKeyFixed > len(k) {
		return corrupt()
	}
	kv.Row, k = k[2:2+rowLen], k[2+rowLen:]
	familyLen := int(k[0])
	if 1+familyLen+9 > len(k) {
		return corrupt()
	}
	kv.Family, k = k[1:1+familyLen], k[1+familyLen:]
	kv.Qualifier, k = k[:len(k)-9], k[len(k)-9:]
	kv.Timestamp = binary.BigEndian.Uint64(k)
	return kv, rest, nil
}
