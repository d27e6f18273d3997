package store

import (
	"encoding/binary"
	"fmt"
)

// CommitRecord is what a commit row holds besides its offset. Every field is a
// function of the log below that offset, counted from the start of the epoch, so
// any processor that commits there writes the same bytes (law 4).
type CommitRecord struct {
	LogTime         int64  // highest record timestamp so far, ms since 1970
	Generation      uint32 // newest generation
	GenerationStart int64  // first offset of that generation
	Records         int64  // records seen, of any kind
	Events          int64  // pageviews counted
	Duplicates      int64  // dropped because (nonce, person) was seen before
	Rejected        int64  // sent to the dead-letter topic
	ReroutedOut     int64  // records found in a wrong partition and sent to the right one
	ReroutedIn      int64  // records that came from another partition
	ReroutedAgain   int64  // of those, ignored because they came a second time
	Markers         int64  // markers that took effect
	MarkersIgnored  int64  // markers that did not
	DedupeEntries   int64  // pairs remembered
	DedupeOldest    int64  // log time (ms) of the oldest pair remembered
	// Operator is what the operator counts, in its own encoding. The engine and the
	// store give it no meaning.
	Operator string
}

// Byte layout, version 1: 0x01, then each number above in its order as a varint
// (zig-zag, encoding/binary), then the operator's bytes up to the end. A reader
// takes missing numbers as 0. Another number of the engine's needs version 2.
const commitRecordVersion = 1

func (r *CommitRecord) fields() []*int64 {
	return []*int64{&r.GenerationStart, &r.Records, &r.Events, &r.Duplicates, &r.Rejected, &r.ReroutedOut,
		&r.ReroutedIn, &r.ReroutedAgain, &r.Markers, &r.MarkersIgnored, &r.DedupeEntries, &r.DedupeOldest}
}

// Append appends the encoded record to dst.
func (r *CommitRecord) Append(dst []byte) []byte {
	dst = append(dst, commitRecordVersion)
	dst = binary.AppendVarint(dst, r.LogTime)
	dst = binary.AppendVarint(dst, int64(r.Generation))
	for _, f := range r.fields() {
		dst = binary.AppendVarint(dst, *f)
	}
	return append(dst, r.Operator...)
}

// DecodeCommitRecord is the inverse of Append. Errors wrap ErrCorrupt.
func DecodeCommitRecord(b []byte) (CommitRecord, error) {
	var r CommitRecord
	if len(b) == 0 || b[0] != commitRecordVersion {
		return r, fmt.Errorf("%w: commit record does not begin with version %d", ErrCorrupt, commitRecordVersion)
	}
	b = b[1:]
	next := func() (int64, error) {
		if len(b) == 0 {
			return 0, nil
		}
		v, n := binary.Varint(b)
		if n <= 0 {
			return 0, fmt.Errorf("%w: commit record is cut off", ErrCorrupt)
		}
		b = b[n:]
		return v, nil
	}
	var err error
	if r.LogTime, err = next(); err != nil {
		return CommitRecord{}, err
	}
	g, err := next()
	if err != nil {
		return CommitRecord{}, err
	}
	if g < 0 || g > 1<<32-1 {
		return CommitRecord{}, fmt.Errorf("%w: generation %d in commit record", ErrCorrupt, g)
	}
	r.Generation = uint32(g)
	for _, f := range r.fields() {
		if *f, err = next(); err != nil {
			return CommitRecord{}, err
		}
	}
	r.Operator = string(b)
	return r, nil
}
