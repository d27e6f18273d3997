package query

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"speedlayer/event"
)

// Hours is a range of hours since 1970-01-01T00:00Z, From <= hour < To.
type Hours struct{ From, To int32 }

const (
	hourMS = 3600 * 1000
	// allTime ends after every hour that a time with a four-digit year can have.
	allTime int32 = 1 << 30

	allowedTime = "RFC 3339 with a zone on a whole hour of UTC (2015-05-17T10:00Z), now, or now-24h (units m, h, d, w)"
)

// ParseHours parses a range as users write it. A time is RFC 3339, also without
// seconds, or a date alone (midnight UTC), or now, or relative as in now-24h, now-7d,
// now-90m. Relative times are floored to the hour. As the end of a range, now means
// the end of the current hour, so that recent events are included. If from and to are
// written alike, the range is empty in any case. Errors are *Error.
func ParseHours(from, to string, now time.Time) (Hours, error) {
	var h Hours
	var err error
	if h.From, err = parseHour("from", from, now); err != nil {
		return h, err
	}
	if h.To, err = parseHour("to", to, now); err != nil {
		return h, err
	}
	if to == "now" && from != to {
		h.To++
	}
	if h.From > h.To {
		return h, BadRequest("from", fmt.Sprintf("%s is later than to, %s", hourText(h.From), hourText(h.To)), "a time that is not later than to")
	}
	return h, nil
}

func parseHour(field, text string, now time.Time) (int32, error) {
	switch {
	case text == "":
		return 0, BadRequest(field, "is missing", allowedTime)
	case strings.HasPrefix(text, "now"):
		return parseNow(field, text, now)
	}
	full := text
	switch {
	case len(text) == len("2006-01-02"):
		full += "T00:00:00Z"
	case len(text) > 16 && text[13] == ':' && text[16] != ':':
		full = text[:16] + ":00" + text[16:]
	}
	ms, err := event.ParseTime(full)
	if err != nil {
		if strings.Contains(text, " ") {
			return 0, BadRequest(field, fmt.Sprintf("%q is not a time (in a URL the sign + is written %%2B)", cut(text)), allowedTime)
		}
		if _, is1970 := strings.CutSuffix(err.Error(), "is before 1970-01-01T00:00:00Z"); is1970 {
			return 0, BadRequest(field, fmt.Sprintf("%q is before 1970", cut(text)), allowedTime)
		}
		return 0, BadRequest(field, fmt.Sprintf("%q is not a time", cut(text)), allowedTime)
	}
	if ms%hourMS != 0 || hasFraction(full) {
		return 0, BadRequest(field, fmt.Sprintf("%q is not on a whole hour of UTC", cut(text)), allowedTime)
	}
	return event.HourOf(ms), nil
}

// hasFraction reports a fraction of a second that is not zero: ParseTime truncates
// times to milliseconds.
func hasFraction(text string) bool {
	_, fraction, ok := strings.Cut(text, ".")
	return ok && strings.ContainsAny(fraction, "123456789") && strings.IndexAny(fraction, "123456789") < strings.IndexAny(fraction+"Z", "Z+-")
}

var units = map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// parseNow parses now, now-N and now+N with a unit, floored to the hour.
func parseNow(field, text string, now time.Time) (int32, error) {
	wrong := BadRequest(field, fmt.Sprintf("%q is not a time", cut(text)), allowedTime)
	ms := now.UnixMilli()
	if rest := text[len("now"):]; rest != "" {
		if len(rest) < 3 || rest[0] != '-' && rest[0] != '+' {
			return 0, wrong
		}
		unit, ok := units[rest[len(rest)-1]]
		n, err := strconv.ParseUint(rest[1:len(rest)-1], 10, 32)
		if !ok || err != nil || time.Duration(n) > 100*366*24*time.Hour/unit {
			return 0, wrong
		}
		by := (time.Duration(n) * unit).Milliseconds()
		if rest[0] == '-' {
			by = -by
		}
		ms += by
	}
	if ms < 0 {
		return 0, BadRequest(field, fmt.Sprintf("%q is before 1970", cut(text)), allowedTime)
	}
	return event.HourOf(ms), nil
}

// hourText formats an hour as RFC 3339.
func hourText(hour int32) string { return event.FormatTime(int64(hour) * hourMS) }

// dayText formats a day (hour / 24) as a date.
func dayText(day int32) string {
	return time.Unix(int64(day)*24*3600, 0).UTC().Format(time.DateOnly)
}

// cut shortens a text for an error.
func cut(s string) string {
	if len(s) > 80 {
		return s[:77] + "..."
	}
	return s
}
