package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Settings are the rules that change results. They are carried by the epoch row
// and by markers, and never change inside a generation (design, law 2). All are
// per partition, so that they do not depend on who owns which partitions.
//
// As text they are one JSON object. The engine knows two of its members; the
// others are the operator's, and nothing but the operator gives them a meaning:
//
//	{"dedupe_window_ms":3600000,"dedupe_entries":524288, MEMBERS OF THE OPERATOR}
type Settings struct {
	DedupeWindow  int64 // ms of log time, at most 24 days
	DedupeEntries int   // pairs, at most 64 Mi
	// Operator is a JSON object with the operator's own settings; "" has none.
	Operator string
}

// ownSettings are the members that the engine knows.
type ownSettings struct {
	DedupeWindow  int64 `json:"dedupe_window_ms"`
	DedupeEntries int   `json:"dedupe_entries"`
}

func isOwnSetting(name string) bool {
	return strings.EqualFold(name, "dedupe_window_ms") || strings.EqualFold(name, "dedupe_entries")
}

// DefaultSettings have the engine's defaults, which are an hour and 512 Ki pairs,
// and an operator's.
func DefaultSettings(operator string) Settings {
	return Settings{DedupeWindow: time.Hour.Milliseconds(), DedupeEntries: 512 << 10, Operator: operator}
}

// Validate reports what is wrong with the engine's settings and what is allowed.
// The operator checks its own (see Rules).
func (s Settings) Validate() error {
	if err := CheckWindow("dedupe window", s.DedupeWindow); err != nil {
		return err
	}
	return CheckEntries("dedupe entries", s.DedupeEntries)
}

// CheckWindow checks a setting that is a length of log time in ms.
func CheckWindow(name string, ms int64) error {
	const most = 24 * 24 * time.Hour
	if ms < 0 || ms > most.Milliseconds() {
		return fmt.Errorf("%s is %v: allowed is 0 to %v", name, time.Duration(ms)*time.Millisecond, most)
	}
	return nil
}

// CheckEntries checks a setting that bounds how much is remembered.
func CheckEntries(name string, n int) error {
	const most = 64 << 20
	if n < 1 || n > most {
		return fmt.Errorf("%s is %d: allowed is 1 to %d", name, n, most)
	}
	return nil
}

// String is the settings as they stand in epoch rows and markers: JSON.
func (s Settings) String() string {
	b, err := s.MarshalJSON()
	if err != nil {
		panic(err) // numbers always marshal
	}
	return string(b)
}

// MarshalJSON implements json.Marshaler.
func (s Settings) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(ownSettings{s.DedupeWindow, s.DedupeEntries})
	if len(s.Operator) <= len("{}") || err != nil {
		return b, err
	}
	b[len(b)-1] = ','
	return append(b, s.Operator[1:]...), nil
}

// ParseSettings is the inverse of String. It validates the engine's settings.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("settings: %w", err)
	}
	return s, s.Validate()
}

// UnmarshalJSON implements json.Unmarshaler. The operator's members stay as they
// are, in their order.
func (s *Settings) UnmarshalJSON(text []byte) error {
	var own ownSettings
	if err := json.Unmarshal(text, &own); err != nil {
		return err
	}
	rest, err := operatorMembers(text)
	*s = Settings{own.DedupeWindow, own.DedupeEntries, rest}
	return err
}

func operatorMembers(text []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", errors.New("settings are not a JSON object")
	}
	var rest bytes.Buffer
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		if isOwnSetting(name.(string)) {
			continue
		}
		rest.WriteByte("{,"[min(rest.Len(), 1)])
		quoted, err := json.Marshal(name)
		if err != nil {
			return "", err
		}
		rest.Write(quoted)
		rest.WriteByte(':')
		if err := json.Compact(&rest, value); err != nil {
			return "", err
		}
	}
	if rest.Len() == 0 {
		return "", nil
	}
	rest.WriteByte('}')
	return rest.String(), nil
}
