package event

import "unicode/utf8"

// Decoder reads records' values. Its zero value is ready; it is not for
// concurrent use.
type Decoder struct {
	// Time is the time of an event without ts, in ms: that of its record, or of
	// its reading. 0: ts is required.
	Time int64

	scratch []byte // unescaped strings of the last record
}

// Decode reads a value into pv: JSON, or the compact encoding, by its first
// byte. It holds all rules of the fields, but not those of pages (AppendPage).
// Errors are *Rejection; pv is then undefined.
func (d *Decoder) Decode(value []byte, pv *Pageview) error {
	*pv = Pageview{}
	switch {
	case len(value) == 0:
		return reject("", CodeEncoding, "the value is empty: allowed is a JSON object, or compact encoding 1")
	case value[0] == compactVersion:
		if err := decodeCompact(value, pv); err != nil {
			return err
		}
	case value[0] == '{':
		if !scanJSON(value, pv, d.Time) {
			if err := d.parseJSON(value, pv); err != nil {
				return err
			}
		}
	default:
		return reject("", CodeEncoding, "first byte is 0x%02x: allowed are { for JSON and 0x01 for compact encoding 1", value[0])
	}
	return pv.Check()
}

// validUTF8 checks the fields that are text.
func (pv *Pageview) validUTF8() error {
	for _, f := range [...]struct {
		name string
		text []byte
	}{{"nonce", pv.Nonce}, {"person", pv.Person}, {"url", pv.URL}, {"referrer", pv.Referrer}, {"user_agent", pv.UserAgent}} {
		if !utf8.Valid(f.text) {
			return reject(f.name, CodeUTF8, "is not UTF-8")
		}
	}
	return nil
}
