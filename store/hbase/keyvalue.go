package hbase

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
// length counts all behind it; type 4 is a put. gohbase has one timestamp for
// all cells of a put; ours have one each, for each cell has its own version.
const (
	putType      = 4
	kvLengths    = 4 + 4 + 4
	kvKeyFixed   = 2 + 1 + 8 + 1 // beside row, family and qualifier
	maxRowBytes  = 1<<15 - 1
	maxCellBytes = 10 << 20 // hbase.server.keyvalue.maxsize
)

// appendKeyValue appends one put of a cell.
func appendKeyValue(dst, row []byte, family string, qualifier []byte, timestamp uint64, values ...[]byte) []byte {
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

// checkSize refuses what a region server would refuse, and with it every other
// put of the same batch and region.
func checkSize(row []byte, values ...[]byte) error {
	if len(row) == 0 || len(row) > maxRowBytes {
		return fmt.Errorf("hbase: a row key of %d bytes: allowed are 1 to %d", len(row), maxRowBytes)
	}
	n := kvLengths + kvKeyFixed + len(row) + 64
	for _, v := range values {
		n += len(v)
	}
	if n > maxCellBytes {
		return fmt.Errorf("hbase: a cell of %d bytes in row %.80q: allowed are %d", n, row, maxCellBytes)
	}
	return nil
}

// keyValue is a cell as it was read. All parts alias the block it came in.
type keyValue struct {
	row, family, qualifier, value []byte
	timestamp                     uint64
}

// nextKeyValue takes one cell from the front of a block.
func nextKeyValue(b []byte) (kv keyValue, rest []byte, err error) {
	corrupt := func() (keyValue, []byte, error) {
		return keyValue{}, nil, fmt.Errorf("%w: a cell on the wire does not fit its lengths", store.ErrCorrupt)
	}
	if len(b) < kvLengths {
		return corrupt()
	}
	all := uint64(binary.BigEndian.Uint32(b))
	key, value := uint64(binary.BigEndian.Uint32(b[4:])), uint64(binary.BigEndian.Uint32(b[8:]))
	if all+4 > uint64(len(b)) || 8+key+value > all || key < kvKeyFixed {
		return corrupt()
	}
	rest = b[4+all:] // behind the value there may be tags
	k := b[kvLengths : kvLengths+key]
	kv.value = b[kvLengths+key : kvLengths+key+value]
	rowLen := int(binary.BigEndian.Uint16(k))
	if rowLen+kvKeyFixed > len(k) {
		return corrupt()
	}
	kv.row, k = k[2:2+rowLen], k[2+rowLen:]
	familyLen := int(k[0])
	if 1+familyLen+9 > len(k) {
		return corrupt()
	}
	kv.family, k = k[1:1+familyLen], k[1+familyLen:]
	kv.qualifier, k = k[:len(k)-9], k[len(k)-9:]
	kv.timestamp = binary.BigEndian.Uint64(k)
	return kv, rest, nil
}
