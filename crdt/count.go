package crdt

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrCorrupt: the bytes cannot be what Append wrote.
var ErrCorrupt = errors.New("crdt: corrupt cell")

// AppendCount appends one replica of a G-Counter: n as a uvarint.
func AppendCount(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

// Count is the inverse of AppendCount.
func Count(b []byte) (uint64, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size != len(b) {
		return 0, fmt.Errorf("%w: count of %d bytes", ErrCorrupt, len(b))
	}
	return n, nil
}

// VisitCount is one replica of two PN-Counters. It keeps only the differences,
// because a replica has one writer, which knows both parts. A single cell may be
// negative, when a visit moves its start to an hour of another generation. The sum
// over generations and shards is not negative.
type VisitCount struct{ Visits, Bounces int64 }

// Append appends visits and bounces as varints (zig-zag).
func (v VisitCount) Append(dst []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, v.Visits), v.Bounces)
}

// DecodeVisitCount is the inverse of Append.
func DecodeVisitCount(b []byte) (VisitCount, error) {
	visits, n := binary.Varint(b)
	if n <= 0 {
		return VisitCount{}, fmt.Errorf("%w: visit count of %d bytes", ErrCorrupt, len(b))
	}
	bounces, m := binary.Varint(b[n:])
	if m <= 0 || n+m != len(b) {
		return VisitCount{}, fmt.Errorf("%w: visit count of %d bytes", ErrCorrupt, len(b))
	}
	return VisitCount{visits, bounces}, nil
}
