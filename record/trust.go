package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Trust tells the system's internal records from those that somebody else wrote
// with the same headers: markers and rerouted records count only if they carry a
// signature (SignatureHeader) under a key that the system's processes share. A
// header without one is treated as if it were not there, so the record is what its
// value says: an event, or rejected.
//
// The signature is HMAC-SHA256 of
//
//	speedlayer-marker LF partition LF value
//	speedlayer-moved-from LF partition LF source LF length of key LF key value
//
// with numbers in decimal. So a signed record that is copied means the same in its
// partition, where it changes nothing (design, laws 5 and 7), and nothing anywhere
// else.
//
// Records that were written before there was a key count without a signature: all
// in log epochs below Epoch, and those below Ends in it. The zero value has no key.
// A nil *Trust trusts every record: a log that only the system can write to.
type Trust struct {
	Key   []byte  `json:"key"`
	Epoch uint32  `json:"epoch"` // the newest log epoch when the key was made
	Ends  []int64 `json:"ends"`  // next offset then, by partition
	// Generations bounds markers without a signature: those of this number and
	// above were not begun by the system.
	Generations uint32 `json:"generations"`
}

// ErrUnknownGeneration is why a marker is rejected that the catalog does not know.
var ErrUnknownGeneration = errors.New("marker of a generation that was never begun")

// KeyBytes is the length of a key.
const KeyBytes = 32

// TrustRow is the control row of a store in which the trust is.
const TrustRow = "trust"

// Encode returns the trust as it is stored: JSON.
func (t *Trust) Encode() []byte {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // bytes and numbers always marshal
	}
	return b
}

// ParseTrust is the inverse of Encode.
func ParseTrust(b []byte) (*Trust, error) {
	var t Trust
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, fmt.Errorf("key of internal records: %w", err)
	}
	if len(t.Key) != KeyBytes {
		return nil, fmt.Errorf("key of internal records: %d bytes: allowed are %d", len(t.Key), KeyBytes)
	}
	return &t, nil
}

// SignMarker adds the signature of a marker that goes to a partition. A nil trust
// adds none.
func (t *Trust) SignMarker(headers []kgo.RecordHeader, partition int32, value []byte) []kgo.RecordHeader {
	if t == nil {
		return headers
	}
	return append(headers, kgo.RecordHeader{Key: SignatureHeader, Value: t.markerSum(partition, value)})
}

// SignRerouted adds the signature of a rerouted record.
func (t *Trust) SignRerouted(headers []kgo.RecordHeader, partition int32, source, key, value []byte) []kgo.RecordHeader {
	if t == nil {
		return headers
	}
	return append(headers, kgo.RecordHeader{Key: SignatureHeader, Value: t.reroutedSum(partition, source, key, value)})
}

func (t *Trust) markerSum(partition int32, value []byte) []byte {
	h := hmac.New(sha256.New, t.Key)
	h.Write(fmt.Appendf(nil, "%s\n%d\n", MarkerHeader, partition))
	h.Write(value)
	return h.Sum(nil)
}

func (t *Trust) reroutedSum(partition int32, source, key, value []byte) []byte {
	h := hmac.New(sha256.New, t.Key)
	head := fmt.Appendf(nil, "%s\n%d\n", ReroutedHeader, partition)
	head = append(append(head, source...), '\n')
	head = append(strconv.AppendInt(head, int64(len(key)), 10), '\n')
	h.Write(head)
	h.Write(key)
	h.Write(value)
	return h.Sum(nil)
}

// unsigned reports whether a record was written before there was a key.
func (t *Trust) unsigned(at Source) bool {
	if at.Epoch != t.Epoch {
		return at.Epoch < t.Epoch
	}
	return int(at.Partition) < len(t.Ends) && at.Offset < t.Ends[at.Partition]
}

// marker reports whether the header of a marker counts, and its generation's bound
// if it has one.
func (t *Trust) marker(r *kgo.Record, at Source) bool {
	return t == nil || t.unsigned(at) || hmac.Equal(header(r, SignatureHeader), t.markerSum(at.Partition, r.Value))
}

// rerouted reports whether the header of a rerouted record counts.
func (t *Trust) rerouted(r *kgo.Record, at Source, source []byte) bool {
	return t == nil || t.unsigned(at) || hmac.Equal(header(r, SignatureHeader), t.reroutedSum(at.Partition, source, r.Key, r.Value))
}

// begun reports whether a generation can have been begun by a marker at a place.
func (t *Trust) begun(generation uint32, at Source) bool {
	return t == nil || !t.unsigned(at) || generation < t.Generations
}

// ReadMarker reads a record that may be a marker. ok is false if it is an ordinary
// record. An error is why a marker is rejected. check is Rules.CheckSettings.
func (t *Trust) ReadMarker(r *kgo.Record, at Source, check func(operator string) error) (m Marker, ok bool, err error) {
	if !IsMarker(r) || !t.marker(r, at) {
		return m, false, nil
	}
	if m, err = ParseMarker(r.Value, check); err != nil {
		return m, true, err
	}
	if !t.begun(m.Generation, at) {
		return m, true, fmt.Errorf("%w: %d", ErrUnknownGeneration, m.Generation)
	}
	return m, true, nil
}
