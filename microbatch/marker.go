package microbatch

import (
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
)

// Marker is a record in the log, in every partition, behind which a generation
// starts (design, law 7). It has no key, and a header, queue.MarkerHeader.
type Marker struct {
	Generation uint32    `json:"generation"`
	Run        bool      `json:"run"`                // a batch run, not only new settings
	Settings   *Settings `json:"settings,omitempty"` // from here on; nil: as before
}

// Append appends the marker's value.
func (m Marker) Append(dst []byte) []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // numbers always marshal
	}
	return append(dst, b...)
}

// ParseMarker is the inverse of Append.
func ParseMarker(value []byte) (Marker, error) {
	var m Marker
	if err := json.Unmarshal(value, &m); err != nil {
		return m, fmt.Errorf("marker: %w", err)
	}
	if m.Settings != nil {
		if err := m.Settings.Validate(); err != nil {
			return m, fmt.Errorf("marker: %w", err)
		}
	}
	return m, nil
}

// IsMarker says whether a record claims to be a marker: no key, and the header.
func IsMarker(r *kgo.Record) bool {
	if len(r.Key) != 0 || len(r.Headers) == 0 {
		return false
	}
	return header(r, queue.MarkerHeader) != nil
}

// header returns the value of the first header of that name, not nil if there.
func header(r *kgo.Record, name string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == name {
			if r.Headers[i].Value == nil {
				return []byte{}
			}
			return r.Headers[i].Value
		}
	}
	return nil
}
