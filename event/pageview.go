package event

import (
	"fmt"
	"time"
)

// Bounds, in bytes.
const (
	MaxPerson = 256
	MaxNonce  = 128
	MaxURL    = 16 << 10 // as received
	MaxPage   = 2048
)

// MinTime is 1990-01-01T00:00Z: there was no web page before. An earlier time is
// a mistake, most often seconds in place of milliseconds.
const MinTime = int64(631152000000)

// How far ahead an event's time may lie, in ms: of the collector's clock, and
// of a record's log time. So nothing that was acknowledged is rejected later
// unless clocks differ by half a day.
const (
	MaxAheadCollector = int64(12 * time.Hour / time.Millisecond)
	MaxAheadLog       = int64(24 * time.Hour / time.Millisecond)
)

// Pageview is one view of a page by a person. Its slices alias the record, or
// the decoder's scratch space: they are valid until the next Decode.
type Pageview struct {
	Nonce     []byte // identifies the pageview; see HasNonce
	Person    []byte // any text: an address, a user name
	URL       []byte // as received
	Referrer  []byte // optional
	UserAgent []byte // optional
	HasNonce  bool
	TS        int64 // ms since 1970, at least MinTime
}

// Codes of rejections. They are few, so that metrics may count by them.
const (
	CodeJSON     = "bad_json"
	CodeUTF8     = "bad_utf8"
	CodeType     = "wrong_type"
	CodeMissing  = "missing"
	CodeEmpty    = "empty"
	CodeTooLong  = "too_long"
	CodeTime     = "bad_time"
	Code1990     = "before_1990"
	CodeAhead    = "ahead"
	CodeURL      = "bad_url"
	CodeEncoding = "unknown_encoding"
)

// Rejection is the error of a record that is not taken.
type Rejection struct {
	Field string // name as in JSON; empty when the record as a whole is meant
	Code  string // one of the codes above
	Text  string // what is wrong, and what is allowed
}

func (r *Rejection) Error() string {
	if r.Field == "" {
		return r.Text
	}
	return r.Field + ": " + r.Text
}

func reject(field, code, format string, args ...any) *Rejection {
	return &Rejection{Field: field, Code: code, Text: fmt.Sprintf(format, args...)}
}

// Check holds the bounds that do not depend on how the pageview was encoded.
// Errors are *Rejection.
func (pv *Pageview) Check() error {
	switch {
	case len(pv.Person) == 0:
		return reject("person", CodeEmpty, "is empty: allowed are 1 to %d bytes", MaxPerson)
	case len(pv.Person) > MaxPerson:
		return reject("person", CodeTooLong, "has %d bytes: allowed are 1 to %d", len(pv.Person), MaxPerson)
	case len(pv.URL) == 0:
		return reject("url", CodeEmpty, "is empty: allowed is an http or https url")
	case len(pv.URL) > MaxURL:
		return reject("url", CodeTooLong, "has %d bytes: allowed are %d", len(pv.URL), MaxURL)
	case pv.HasNonce && len(pv.Nonce) == 0:
		return reject("nonce", CodeEmpty, "is empty: allowed are 1 to %d bytes, or none", MaxNonce)
	case len(pv.Nonce) > MaxNonce:
		return reject("nonce", CodeTooLong, "has %d bytes: allowed are 1 to %d", len(pv.Nonce), MaxNonce)
	case pv.TS < MinTime:
		return reject("ts", Code1990, "%d ms since 1970 is %s: allowed are times from 1990 on, in milliseconds (were seconds meant?)", pv.TS, FormatTime(pv.TS))
	}
	return nil
}

// CheckAhead rejects a time that lies more than max ms ahead of now.
func CheckAhead(ts, now, max int64) error {
	if ts-now > max {
		return reject("ts", CodeAhead, "%s is more than %v ahead of %s", FormatTime(ts), time.Duration(max)*time.Millisecond, FormatTime(now))
	}
	return nil
}
