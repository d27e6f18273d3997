package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a pageview's fields, in bytes.
const (
	maxPerson = 256
	maxNonce  = 128
)

// Pageview is one decoded record.
type Pageview struct {
	Nonce     string // empty: it has none
	Person    string
	URL       string // as received
	Page      string
	TS        int64 // ms since 1970
	Referrer  string
	UserAgent string
}

// decode reads a record's value by the rules for fields, pages and times that
// need no log time.
func decode(value []byte, at int64, page func(raw string) (string, error)) (Pageview, error) {
	if len(value) > 0 && value[0] == 1 {
		return decodeCompact(value[1:], page)
	}
	if len(value) == 0 || value[0] != '{' {
		return Pageview{}, errors.New("unknown version")
	}
	if !utf8.Valid(value) {
		return Pageview{}, errors.New("not UTF-8")
	}
	// Into a map, since encoding/json matches the names of struct fields in any
	// case, and fields have theirs exactly.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		return Pageview{}, err
	}
	return pageview(fields, at, page)
}

func pageview(fields map[string]json.RawMessage, at int64, page func(raw string) (string, error)) (pv Pageview, err error) {
	for _, f := range []struct {
		name     string
		to       *string
		required bool
		max      int
	}{
		{"nonce", &pv.Nonce, false, maxNonce},
		{"person", &pv.Person, true, maxPerson},
		{"url", &pv.URL, true, maxURL},
		{"referrer", &pv.Referrer, false, 0},
		{"user_agent", &pv.UserAgent, false, 0},
	} {
		if err := text(fields, f.name, f.required, f.max, f.to); err != nil {
			return pv, err
		}
	}
	if pv.Page, err = page(pv.URL); err != nil {
		return pv, err
	}
	raw := fields["ts"]
	if at > 0 && (raw == nil || string(raw) == "null") {
		raw = json.RawMessage(strconv.FormatInt(at, 10)) // an event without ts has its record's time
	}
	pv.TS, err = timestamp(raw)
	return pv, err
}

// text reads one field. A null is as good as none. max 0 is not a bound, and then
// the text may be empty too.
func text(fields map[string]json.RawMessage, name string, required bool, max int, to *string) error {
	raw := fields[name]
	if raw == nil || string(raw) == "null" {
		if required {
			return fmt.Errorf("%s is missing", name)
		}
		return nil
	}
	if loneSurrogate(raw) {
		return fmt.Errorf("%s has a lone surrogate", name)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return bounds(name, *to, max)
}

func bounds(name, text string, max int) error {
	if max > 0 && (text == "" || len(text) > max) {
		return fmt.Errorf("%s has %d bytes, allowed is 1 to %d", name, len(text), max)
	}
	return nil
}

var (
	wholeNumber = regexp.MustCompile(`^-?[0-9]+$`)
	rfc3339     = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
)

// minTime is 1990-01-01T00:00Z; an earlier time is a mistake.
var minTime = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// timestamp reads RFC 3339 with a zone, or a whole number of milliseconds.
func timestamp(raw json.RawMessage) (int64, error) {
	if raw == nil || string(raw) == "null" {
		return 0, errors.New("ts is missing")
	}
	ms, err := milliseconds(raw)
	if err != nil {
		return 0, err
	}
	if ms < minTime {
		return 0, errors.New("ts is before 1990")
	}
	return ms, nil
}

func milliseconds(raw json.RawMessage) (int64, error) {
	if raw[0] != '"' {
		if !wholeNumber.Match(raw) {
			return 0, fmt.Errorf("ts %s is not a whole number", raw)
		}
		n, _ := new(big.Int).SetString(string(raw), 10)
		if !n.IsInt64() {
			return 0, fmt.Errorf("ts %s is too large", raw)
		}
		return n.Int64(), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return 0, err
	}
	if !rfc3339.MatchString(s) {
		return 0, fmt.Errorf("ts %q is not RFC 3339 with a zone", s)
	}
	leap := s[17:19] == "60"
	if leap {
		s = s[:17] + "59" + s[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, err
	}
	if next := t.UTC().Truncate(time.Second).Add(time.Second); leap && (next.Day() != 1 || next.Hour() != 0 || next.Minute() != 0 || next.Second() != 0) {
		return 0, fmt.Errorf("ts %q is not a leap second", s)
	}
	return t.UnixMilli(), nil
}

// loneSurrogate finds a \uD800-\uDFFF escape that has no partner, which
// encoding/json would turn into U+FFFD without a word.
func loneSurrogate(value json.RawMessage) bool {
	escape := func(i int) (rune, bool) { // \uXXXX at i
		if i+6 > len(value) || value[i] != '\\' || value[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(value[i+2:i+6]), 16, 16)
		return rune(n), err == nil
	}
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			continue
		}
		r, ok := escape(i)
		switch {
		case !ok:
			i++ // the escaped character
		case 0xD800 <= r && r < 0xDC00:
			if low, ok := escape(i + 6); !ok || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 11
		case 0xDC00 <= r && r <= 0xDFFF:
			return true
		default:
			i += 5
		}
	}
	return false
}

// encode is the JSON of a record that is rerouted: with its nonce.
func (pv *Pageview) encode() []byte {
	fields := map[string]any{"nonce": pv.Nonce, "person": pv.Person, "url": pv.URL, "ts": pv.TS}
	if pv.Referrer != "" {
		fields["referrer"] = pv.Referrer
	}
	if pv.UserAgent != "" {
		fields["user_agent"] = pv.UserAgent
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		panic(err) // strings and a number always marshal
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
