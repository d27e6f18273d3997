package views

import (
	"encoding/binary"
	"fmt"

	"speedlayer/crdt"
)

// Visits is a cell of bounces: the visits of a domain that begin in a bucket,
// and the bounces among them. It holds both counts twice: with persons as they are in
// the log, and with persons joined by equiv edges counted as one. What a realtime
// generation adds is a difference between raw visits, so it is added to the raw
// numbers. A bucket to which no generation adds is best answered by the canonical
// numbers (law 8).
type Visits struct {
	Raw, RawBounces             uint64
	Canonical, CanonicalBounces uint64
}

// Append appends four uvarints: raw visits, raw bounces, canonical visits,
// canonical bounces.
func (v Visits) Append(dst []byte) []byte {
	for _, n := range [...]uint64{v.Raw, v.RawBounces, v.Canonical, v.CanonicalBounces} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// Add makes v the sum of v and o.
func (v *Visits) Add(o Visits) {
	v.Raw += o.Raw
	v.RawBounces += o.RawBounces
	v.Canonical += o.Canonical
	v.CanonicalBounces += o.CanonicalBounces
}

// DecodeVisits is the inverse of Append.
func DecodeVisits(b []byte) (v Visits, err error) {
	rest := b
	for _, to := range [...]*uint64{&v.Raw, &v.RawBounces, &v.Canonical, &v.CanonicalBounces} {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			return Visits{}, fmt.Errorf("%w: batch visits of %d bytes", crdt.ErrCorrupt, len(b))
		}
		*to, rest = n, rest[size:]
	}
	if len(rest) != 0 || v.RawBounces > v.Raw || v.CanonicalBounces > v.Canonical {
		return Visits{}, fmt.Errorf("%w: batch visits %+v of %d bytes", crdt.ErrCorrupt, v, len(b))
	}
	return v, nil
}
