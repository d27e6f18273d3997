package record

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Marker is a record in the log, in every partition, after which a generation
// starts (design, law 7). It has no key, and a header, MarkerHeader.
type Marker struct {
	Generation uint32    `json:"generation"`
	Run        bool      `json:"run"`                // a batch run, not only new settings
	Settings   *Settings `json:"settings,omitempty"` // from here on; nil: as before
}

// Append appends the marker's value.
func (m Marker) Append(dst []byte) []byte {
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false) // settings stay as they are, byte by byte
	if err := e.Encode(m); err != nil {
		panic(err) // settings are JSON already, and numbers always marshal
	}
	b.Truncate(b.Len() - 1) // the line feed
	return b.Bytes()
}

// ParseMarker is the inverse of Append. It checks the settings: the engine's here,
// the operator's by check. A marker that fails is rejected.
func ParseMarker(value []byte, check func(operator string) error) (Marker, error) {
	var m Marker
	if err := json.Unmarshal(value, &m); err != nil {
		return m, fmt.Errorf("marker: %w", err)
	}
	if m.Settings != nil {
		err := m.Settings.Validate()
		if err == nil {
			err = check(m.Settings.Operator)
		}
		if err != nil {
			return m, fmt.Errorf("marker: %w", err)
		}
	}
	return m, nil
}

// IsMarker reports whether a record claims to be a marker: no key, and the header.
func IsMarker(r *kgo.Record) bool {
	if len(r.Key) != 0 || len(r.Headers) == 0 {
		return false
	}
	return header(r, MarkerHeader) != nil
}
