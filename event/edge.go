package event

import (
	"encoding/json"
	"unicode/utf8"
)

// Edge is an equiv edge: two identifiers are one person, or, retracted, are not
// after all. The pair is unordered; of its records the last in the log decides.
type Edge struct {
	ID1, ID2 string
	TS       int64 // ms since 1970, when it was said
	Retract  bool
}

// Check rejects identifiers that cannot be persons.
func (e Edge) Check() error {
	for _, id := range [...]struct{ field, text string }{{"id1", e.ID1}, {"id2", e.ID2}} {
		switch {
		case id.text == "":
			return reject(id.field, CodeEmpty, "is missing or empty: allowed are 1 to %d bytes", MaxPerson)
		case len(id.text) > MaxPerson:
			return reject(id.field, CodeTooLong, "has %d bytes: allowed are 1 to %d", len(id.text), MaxPerson)
		case !utf8.ValidString(id.text):
			return reject(id.field, CodeUTF8, "is not UTF-8")
		}
	}
	if e.ID1 == e.ID2 {
		return reject("id2", CodeType, "is the same as id1: allowed are two different identifiers")
	}
	return nil
}

// Pair is the edge's identifiers, the smaller first: the key of its record.
func (e Edge) Pair() (string, string) { return min(e.ID1, e.ID2), max(e.ID1, e.ID2) }

// AppendJSON appends the edge as it stands on the topic equivs.
func (e Edge) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id1":`...)
	dst = appendQuoted(dst, []byte(e.ID1))
	dst = append(dst, `,"id2":`...)
	dst = appendQuoted(dst, []byte(e.ID2))
	dst = append(dst, `,"ts":"`...)
	dst = append(dst, FormatTime(e.TS)...)
	dst = append(dst, `","retract":`...)
	if e.Retract {
		return append(dst, "true}"...)
	}
	return append(dst, "false}"...)
}

// DecodeEdge reads what AppendJSON writes. ts may be left out, or be ms.
func DecodeEdge(value []byte) (Edge, error) {
	var d Decoder
	if !utf8.Valid(value) {
		return Edge{}, reject("", CodeUTF8, "the value is not UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		return Edge{}, reject("", CodeJSON, "not a JSON object: %v", err)
	}
	var e Edge
	for _, f := range [...]struct {
		name string
		to   *string
	}{{"id1", &e.ID1}, {"id2", &e.ID2}} {
		if raw, ok := fields[f.name]; ok && string(raw) != "null" {
			text, err := d.unquote(f.name, raw)
			if err != nil {
				return Edge{}, err
			}
			*f.to = string(text)
		}
	}
	if raw, ok := fields["ts"]; ok && string(raw) != "null" {
		if err := d.parseTS(raw, &e.TS); err != nil {
			return Edge{}, err
		}
		if e.TS < 0 {
			return Edge{}, reject("ts", CodeTime, "%s is before 1970-01-01T00:00:00Z", cut(raw))
		}
	}
	if raw, ok := fields["retract"]; ok {
		if err := json.Unmarshal(raw, &e.Retract); err != nil {
			return Edge{}, reject("retract", CodeType, "is neither true nor false")
		}
	}
	return e, e.Check()
}
