package oracle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Trust is what the store has about internal records: the key, and up to where they
// count without a signature. The format is that of record.Trust.
type Trust struct {
	Key         []byte  `json:"key"`
	Epoch       uint32  `json:"epoch"`
	Ends        []int64 `json:"ends"`
	Generations uint32  `json:"generations"`
	Next        uint32  `json:"-"` // the number that the next generation will get
}

// ParseTrust reads the row of the store. next is the number that the next generation
// will get. Without a row it is nil.
func ParseTrust(row []byte, next uint32) (*Trust, error) {
	if len(row) == 0 {
		return nil, nil
	}
	t := &Trust{Next: next}
	if err := json.Unmarshal(row, t); err != nil {
		return nil, fmt.Errorf("key of internal records: %w", err)
	}
	return t, nil
}

// ReroutedFrom is where a record that was rerouted lay before; false for another.
func (o *Oracle) ReroutedFrom(r Record) (Source, bool) {
	text, ok := o.reroutedFrom(r)
	if !ok {
		return Source{}, false
	}
	from, err := parseSource(text)
	return from, err == nil
}

// genuine reports whether a record's internal header is the system's own. signed is
// what its signature covers.
func (o *Oracle) genuine(r Record, signed ...[]byte) bool {
	t := o.opt.Trust
	if t == nil || o.old(r) {
		return true
	}
	sum := hmac.New(sha256.New, t.Key)
	for _, part := range signed {
		_, _ = sum.Write(part) // never fails
	}
	have, _ := r.header("speedlayer-signature")
	return hmac.Equal(have, sum.Sum(nil))
}

// old reports whether a record is older than the key.
func (o *Oracle) old(r Record) bool {
	t := o.opt.Trust
	switch {
	case o.opt.Epoch < t.Epoch:
		return true
	case o.opt.Epoch > t.Epoch || int(o.opt.Partition) >= len(t.Ends):
		return false
	}
	return r.Offset < t.Ends[o.opt.Partition]
}

func (o *Oracle) isMarker(r Record) bool {
	if _, ok := r.header("speedlayer-marker"); !ok || len(r.Key) > 0 {
		return false
	}
	return o.genuine(r, fmt.Appendf(nil, "speedlayer-marker\n%d\n", o.opt.Partition), r.Value)
}

func (o *Oracle) reroutedFrom(r Record) (string, bool) {
	text, ok := r.header("speedlayer-moved-from")
	if !ok {
		return "", false
	}
	head := fmt.Sprintf("speedlayer-moved-from\n%d\n%s\n%d\n", o.opt.Partition, text, len(r.Key))
	return string(text), o.genuine(r, []byte(head), r.Key, r.Value)
}

// unknown is why a marker's generation cannot be the system's.
func (o *Oracle) unknown(r Record, generation uint32) error {
	t := o.opt.Trust
	if t == nil || generation < t.Next && (!o.old(r) || generation < t.Generations) {
		return nil
	}
	return fmt.Errorf("generation %d was never begun", generation)
}
