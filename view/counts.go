package view

import (
	"encoding/binary"
	"errors"
)

// Counts are what the views add to a commit record (store.CommitRecord.Operator).
type Counts struct {
	VisitEntries int64 // visits remembered
	VisitOldest  int64 // log time (ms) of the visit remembered that was touched longest ago
}

// Byte layout: each field in its order as a varint (zig-zag, encoding/binary). A
// reader takes missing ones as 0 and ignores ones it does not know.

// Append appends the encoded counts to dst.
func (c Counts) Append(dst []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, c.VisitEntries), c.VisitOldest)
}

// DecodeCounts is the inverse of Append.
func DecodeCounts(text string) (c Counts, err error) {
	b := []byte(text)
	for _, f := range [...]*int64{&c.VisitEntries, &c.VisitOldest} {
		if len(b) == 0 {
			break
		}
		v, n := binary.Varint(b)
		if n <= 0 {
			return Counts{}, errors.New("view: counts of a commit record are cut off")
		}
		*f, b = v, b[n:]
	}
	return c, nil
}
