package event

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// scanJSON reads the usual case in one pass and without a copy: an object of
// the known fields, each once, whose strings have no escapes, and whose ts is a
// whole number or a plain string. It reports false for anything else, wrong or
// only unusual, and leaves it to parseJSON. without is the time of an event that
// has no ts; 0: it must have one.
func scanJSON(b []byte, pv *Pageview, without int64) bool {
	i, seen := 1, 0
	for {
		i = skipSpace(b, i)
		if i >= len(b) || b[i] != '"' {
			return false // an object without fields is rejected anyway
		}
		name, next, ok := scanString(b, i+1)
		if !ok {
			return false
		}
		i = skipSpace(b, next)
		if i >= len(b) || b[i] != ':' {
			return false
		}
		i = skipSpace(b, i+1)
		if i >= len(b) {
			return false
		}
		var to *[]byte
		bit := 0
		switch string(name) {
		case "nonce":
			to, bit = &pv.Nonce, 1
			pv.HasNonce = true
		case "person":
			to, bit = &pv.Person, 2
		case "url":
			to, bit = &pv.URL, 4
		case "referrer":
			to, bit = &pv.Referrer, 8
		case "user_agent":
			to, bit = &pv.UserAgent, 16
		case "ts":
			bit = 32
		default:
			return false
		}
		if seen&bit != 0 {
			return false
		}
		seen |= bit
		if to != nil {
			if b[i] != '"' {
				return false
			}
			if *to, i, ok = scanString(b, i+1); !ok {
				return false
			}
		} else if i, ok = scanTime(b, i, &pv.TS); !ok {
			return false
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return false
		}
		if b[i] == '}' {
			break
		}
		if b[i] != ',' {
			return false
		}
		i++
	}
	required := 2 | 4 | 32
	if without > 0 && seen&32 == 0 {
		pv.TS, required = without, 2|4
	}
	return skipSpace(b, i+1) == len(b) && seen&required == required
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// scanString reads a string without escapes that begins at i, after its
// quote; next is after the closing one.
func scanString(b []byte, i int) (text []byte, next int, ok bool) {
	n := bytes.IndexByte(b[i:], '"')
	if n < 0 {
		return nil, 0, false
	}
	text = b[i : i+n : i+n]
	high := byte(0)
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return nil, 0, false
		}
		high |= c
	}
	if high >= utf8.RuneSelf && !utf8.Valid(text) {
		return nil, 0, false
	}
	return text, i + n + 1, true
}

func scanTime(b []byte, i int, ts *int64) (next int, ok bool) {
	if b[i] == '"' {
		text, next, ok := scanString(b, i+1)
		if !ok {
			return 0, false
		}
		ms, err := parseTime(text)
		*ts = ms
		return next, err == nil
	}
	begin := i
	var n int64
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	digits := i - begin
	if digits == 0 || digits > 18 || digits > 1 && b[begin] == '0' {
		return 0, false
	}
	*ts = n
	return i, true
}

// parseJSON reads any JSON object, strictly: encoding/json alone would turn bad
// UTF-8 and lone surrogates into U+FFFD without a word, and different persons
// into one. Of a field that comes twice the last counts; unknown ones are
// ignored.
func (d *Decoder) parseJSON(b []byte, pv *Pageview) error {
	*pv = Pageview{}
	if !utf8.Valid(b) {
		return reject("", CodeUTF8, "the value is not UTF-8")
	}
	// Into a map: encoding/json would match the names of a struct's fields in
	// any case.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return reject("", CodeJSON, "not a JSON object: %v", err)
	}
	d.scratch = d.scratch[:0]
	for _, f := range [...]struct {
		name     string
		to       *[]byte
		required bool
	}{{"person", &pv.Person, true}, {"url", &pv.URL, true}, {"nonce", &pv.Nonce, false},
		{"referrer", &pv.Referrer, false}, {"user_agent", &pv.UserAgent, false}} {
		raw, ok := fields[f.name]
		if !ok || string(raw) == "null" {
			if f.required {
				return reject(f.name, CodeMissing, "is missing")
			}
			continue
		}
		text, err := d.unquote(f.name, raw)
		if err != nil {
			return err
		}
		*f.to = text
		if f.name == "nonce" {
			pv.HasNonce = true
		}
	}
	raw, ok := fields["ts"]
	if !ok || string(raw) == "null" {
		if d.Time > 0 {
			pv.TS = d.Time
			return nil
		}
		return reject("ts", CodeMissing, "is missing: allowed is RFC 3339 with a zone, or a whole number of milliseconds")
	}
	return d.parseTS(raw, &pv.TS)
}

func (d *Decoder) parseTS(raw []byte, ts *int64) error {
	if raw[0] == '"' {
		text, err := d.unquote("ts", raw)
		if err != nil {
			return err
		}
		*ts, err = parseTime(text)
		return err
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return badTime(raw)
	}
	*ts = n
	return nil
}

// unquote reads a JSON string into scratch.
func (d *Decoder) unquote(field string, raw []byte) ([]byte, error) {
	if raw[0] != '"' {
		return nil, reject(field, CodeType, "is not a string")
	}
	if hasLoneSurrogate(raw) {
		return nil, reject(field, CodeUTF8, "has half of a surrogate pair")
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, reject(field, CodeJSON, "is not a JSON string: %v", err)
	}
	at := len(d.scratch)
	d.scratch = append(d.scratch, s...)
	return d.scratch[at:len(d.scratch):len(d.scratch)], nil
}

// hasLoneSurrogate looks at the \u escapes of a valid JSON string.
func hasLoneSurrogate(raw []byte) bool {
	unit := func(i int) (uint64, bool) {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
		return v, err == nil
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		v, ok := unit(i)
		switch {
		case !ok:
			i++ // the character after the backslash
		case v >= 0xdc00 && v <= 0xdfff:
			return true
		case v >= 0xd800 && v <= 0xdbff:
			if low, ok := unit(i + 6); !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			i += 11
		default:
			i += 5
		}
	}
	return false
}

// AppendJSON appends pv as the JSON object of the queue's format.
func AppendJSON(dst []byte, pv *Pageview) []byte {
	dst = append(dst, '{')
	if pv.HasNonce {
		dst = append(dst, `"nonce":`...)
		dst = appendQuoted(dst, pv.Nonce)
		dst = append(dst, ',')
	}
	dst = append(dst, `"person":`...)
	dst = appendQuoted(dst, pv.Person)
	dst = append(dst, `,"url":`...)
	dst = appendQuoted(dst, pv.URL)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, pv.TS, 10)
	if len(pv.Referrer) > 0 {
		dst = append(dst, `,"referrer":`...)
		dst = appendQuoted(dst, pv.Referrer)
	}
	if len(pv.UserAgent) > 0 {
		dst = append(dst, `,"user_agent":`...)
		dst = appendQuoted(dst, pv.UserAgent)
	}
	return append(dst, '}')
}

// appendQuoted writes UTF-8 as a JSON string, escaping only what must be.
func appendQuoted(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
