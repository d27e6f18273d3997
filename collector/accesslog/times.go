package accesslog

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"speedlayer/event"
)

// maxTime bounds a time with its brackets, in bytes: 28, and fractions.
const maxTime = 64

var months = map[string]time.Month{"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6, "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12}

// logTime reads the time of the common log format with its own offset, as in
// 02/Jan/2006:15:04:05 -0700; or RFC 3339, which servers can be told to write.
func logTime(b []byte) (ms int64, ok bool) {
	if len(b) > 4 && b[4] == '-' {
		return isoTime(string(b), nil)
	}
	t, rest, ok := clock(b)
	if !ok || len(rest) < 2 || rest[0] != ' ' {
		return 0, false
	}
	offset, ok := zoneOffset(rest[1:])
	return t.ms(offset), ok && t.valid(offset)
}

// civil is a time without a zone.
type civil struct {
	year, day, hour, minute, second, milli int
	month                                  time.Month
}

// clock reads 02/Jan/2006:15:04:05 and a fraction.
func clock(b []byte) (t civil, rest []byte, ok bool) {
	const layout = "02/Jan/2006:15:04:05"
	if len(b) < len(layout) || b[2] != '/' || b[6] != '/' || b[11] != ':' || b[14] != ':' || b[17] != ':' {
		return t, nil, false
	}
	n := func(from, to int) int { return digits(b[from:to]) }
	t = civil{year: n(7, 11), month: months[string(b[3:6])], day: n(0, 2), hour: n(12, 14), minute: n(15, 17), second: n(18, 20)}
	rest = b[len(layout):]
	if len(rest) > 1 && rest[0] == '.' {
		i := 1
		for scale := 100; i < len(rest) && rest[i] >= '0' && rest[i] <= '9'; i++ {
			t.milli += int(rest[i]-'0') * scale
			scale /= 10
		}
		rest = rest[i:]
	}
	return t, rest, t.month > 0
}

// digits is -1 if there is anything else.
func digits(b []byte) (n int) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// zoneOffset reads +0200 or +02:00 as seconds.
func zoneOffset(b []byte) (seconds int, ok bool) {
	if string(b) == "Z" {
		return 0, true
	}
	if len(b) == 6 && b[3] == ':' {
		b = append(append([]byte(nil), b[:3]...), b[4:]...)
	}
	if len(b) != 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	h, m := digits(b[1:3]), digits(b[3:5])
	if h < 0 || h > 24 || m < 0 || m > 59 {
		return 0, false
	}
	seconds = (h*60 + m) * 60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// valid reports whether there is such a time; second 60 only where a leap second
// may be.
func (t civil) valid(offset int) bool {
	d := time.Date(t.year, t.month, t.day, 0, 0, 0, 0, time.UTC)
	if t.year < 0 || t.day < 1 || d.Day() != t.day || t.hour < 0 || t.hour > 23 || t.minute < 0 || t.minute > 59 || t.second < 0 {
		return false
	}
	return t.second < 60 || t.second == 60 && event.LeapSecond(t.ms(offset)/1000+1)
}

// ms is the time as ms since 1970. A leap second is the second before it.
func (t civil) ms(offset int) int64 {
	s := time.Date(t.year, t.month, t.day, t.hour, t.minute, min(t.second, 59), 0, time.UTC).Unix() - int64(offset)
	return s*1000 + int64(t.milli)
}

// isoTime reads RFC 3339, also with a space for the T, an offset without a
// colon, or, if zone is not nil, none.
func isoTime(text string, zone *time.Location) (ms int64, ok bool) {
	b := []byte(text)
	if len(b) < len("2006-01-02T15:04:05") {
		return 0, false
	}
	if b[10] == ' ' {
		b[10] = 'T'
	}
	if n := len(b); n >= 24 && (b[n-5] == '+' || b[n-5] == '-') {
		b = append(append(append([]byte(nil), b[:n-2]...), ':'), b[n-2:]...)
	}
	if ms, err := event.ParseTime(string(b)); err == nil {
		return ms, true
	}
	if zone == nil {
		return 0, false
	}
	return inZone(b, zone)
}

// inZone reads a time that has no zone.
func inZone(b []byte, zone *time.Location) (ms int64, ok bool) {
	leap := bytes.HasSuffix(b[:19], []byte(":60"))
	if leap {
		b[17], b[18] = '5', '9'
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006/01/02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, string(b), zone); err == nil {
			return t.UnixMilli(), !leap || event.LeapSecond(t.Unix()+1)
		}
	}
	return 0, false
}

// unixTime reads a number of seconds since 1970, or of milli-, micro- or
// nanoseconds, by its size: JSON loggers write each of them. Seconds may have a
// fraction.
func unixTime(text string) (ms int64, ok bool) {
	whole, fraction := text, ""
	for i := range len(text) {
		if text[i] == '.' {
			whole, fraction = text[:i], text[i+1:]
			break
		}
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.ContainsAny(text, "eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < 0 || f > 1e18 {
			return 0, false
		}
		n, fraction = int64(f), ""
	}
	switch {
	case n < 0:
		return 0, false
	case n < 1e11:
		f := digits([]byte((fraction + "000")[:3]))
		return n*1000 + int64(max(f, 0)), f >= 0
	case n < 1e14:
		return n, true
	case n < 1e17:
		return n / 1000, true
	}
	return n / 1_000_000, true
}

// date is the time in a zone, and the zone's offset then, in seconds.
func (t civil) date(zone *time.Location) (at time.Time, offset int) {
	at = time.Date(t.year, t.month, t.day, t.hour, t.minute, min(t.second, 59), 0, zone)
	_, offset = at.Zone()
	return at, offset
}
