package embedded

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// A segment file is record batches, one after the other. A batch begins
//
//	first offset i64 | length i32, of what follows | leader epoch i32 | magic i8
//	| CRC-32C u32, of what follows | attributes i16 | last offset i32 |
//	first time i64 | max time i64 | producer id i64, epoch i16, sequence i32 |
//	number of records i32 | records
//
// big-endian; the last offset is a difference to the first. The checksum does not
// cover what stands before it: the offset is held to be right if it follows that
// of the batch before.
type batch []byte

// Places of fields in a batch.
const (
	batchLength     = 8
	batchEpoch      = 12
	batchMagic      = 16
	batchSum        = 17
	batchAttributes = 21
	batchLast       = 23
	batchMaxTime    = 35
	batchProducer   = 43
	batchRecords    = 57
	batchHead       = 61 // bytes before the records
)

// Bits of a batch's attributes.
const (
	attributeLogAppendTime = 1 << 3
	attributeTransactional = 1 << 4
	attributeControl       = 1 << 5
)

func (b batch) first() int64         { return int64(binary.BigEndian.Uint64(b)) }
func (b batch) end() int64           { return b.first() + int64(binary.BigEndian.Uint32(b[batchLast:])) + 1 }
func (b batch) epoch() int32         { return int32(binary.BigEndian.Uint32(b[batchEpoch:])) }
func (b batch) maxTime() int64       { return int64(binary.BigEndian.Uint64(b[batchMaxTime:])) }
func (b batch) producer() int64      { return int64(binary.BigEndian.Uint64(b[batchProducer:])) }
func (b batch) records() int32       { return int32(binary.BigEndian.Uint32(b[batchRecords:])) }
func (b batch) producerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[batchProducer+8:])) }
func (b batch) attributes() uint16   { return binary.BigEndian.Uint16(b[batchAttributes:]) }

// lengthAt is the length of the batch that begins at b, by its own account; 0 if
// there is no room for it.
func lengthAt(b []byte) int {
	if len(b) < batchHead {
		return 0
	}
	n := int64(int32(binary.BigEndian.Uint32(b[batchLength:])))
	if n < batchHead-12 || n > int64(len(b)-12) {
		return 0
	}
	return int(n) + 12
}

// batchAt is the batch that begins at b; nil if none does, or not a whole one.
func batchAt(b []byte) batch {
	n := lengthAt(b)
	if n == 0 || b[batchMagic] != 2 || checksum(b[batchAttributes:n]) != binary.BigEndian.Uint32(b[batchSum:]) {
		return nil
	}
	if last := int32(binary.BigEndian.Uint32(b[batchLast:])); last < 0 {
		return nil
	}
	return b[:n]
}

// nextBatch finds the next whole batch in b whose first offset is from or higher,
// byte by byte: after damage, nothing else tells where one begins.
func nextBatch(b []byte, from int64) (at int, found batch) {
	for at = 0; at+batchHead <= len(b); at++ {
		if b[at+batchMagic] != 2 {
			continue
		}
		if first := batch(b[at:]).first(); first < from || first-from > math.MaxInt32 {
			continue
		}
		if found = batchAt(b[at:]); found != nil {
			return at, found
		}
	}
	return len(b), nil
}

// lostType is the type of the control record that stands for lost offsets. Kafka
// knows types 0 to 6; clients leave out records of types that they do not know.
// Package queue reads it.
const lostType = 0x534c // SL

// appendFillers appends batches that stand for the offsets [from, to), which are
// lost: each is one control record at its last offset. So no offset is given out
// a second time, and readers of the log learn what it does not have.
//
//	key:   version i16, 0 | type i16
//	value: first lost offset i64
func appendFillers(dst []byte, from, to, time int64, epoch int32) []byte {
	for from < to {
		n := min(to-from, math.MaxInt32)
		dst = appendFiller(dst, from, int32(n-1), time, epoch)
		from += n
	}
	return dst
}

func appendFiller(dst []byte, from int64, last int32, time int64, epoch int32) []byte {
	var record []byte
	record = append(record, 0)              // attributes
	record = binary.AppendVarint(record, 0) // time, as a difference
	record = binary.AppendVarint(record, int64(last))
	record = binary.AppendVarint(record, 4)
	record = binary.BigEndian.AppendUint32(record, lostType)
	record = binary.AppendVarint(record, 8)
	record = binary.BigEndian.AppendUint64(record, uint64(from))
	record = binary.AppendVarint(record, 0) // headers

	b := binary.BigEndian.AppendUint64(nil, uint64(from))
	b = binary.BigEndian.AppendUint32(b, 0) // length
	b = binary.BigEndian.AppendUint32(b, uint32(epoch))
	b = append(b, 2)
	b = binary.BigEndian.AppendUint32(b, 0) // checksum
	b = binary.BigEndian.AppendUint16(b, attributeControl|attributeLogAppendTime)
	b = binary.BigEndian.AppendUint32(b, uint32(last))
	b = binary.BigEndian.AppendUint64(b, uint64(time))
	b = binary.BigEndian.AppendUint64(b, uint64(time))
	b = binary.BigEndian.AppendUint64(b, math.MaxUint64) // producer: none
	b = binary.BigEndian.AppendUint16(b, math.MaxUint16)
	b = binary.BigEndian.AppendUint32(b, math.MaxUint32)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = append(binary.AppendVarint(b, int64(len(record))), record...)
	binary.BigEndian.PutUint32(b[batchLength:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[batchSum:], checksum(b[batchAttributes:]))
	return append(dst, b...)
}

// lostBy is the first of the offsets that a filler stands for.
func lostBy(b batch) (from int64, ok bool) {
	if b.attributes()&attributeControl == 0 {
		return 0, false
	}
	return b.first(), bytes.Equal(b, appendFiller(nil, b.first(), int32(b.end()-b.first()-1), b.maxTime(), b.epoch()))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
