package event

import "time"

const hourMS = 3600 * 1000

// HourOf counts whole hours since 1970-01-01T00:00Z.
func HourOf(ms int64) int32 { return int32(ms / hourMS) }

// DayOf is the bucket of 24 hours that an hour lies in: h in d in w in m.
func DayOf(hour int32) int32 { return hour / 24 }

// WeekOf is the bucket of 7 days.
func WeekOf(hour int32) int32 { return DayOf(hour) / 7 }

// MonthOf is the bucket of 28 days.
func MonthOf(hour int32) int32 { return DayOf(hour) / 28 }

// FormatTime writes ms since 1970 as RFC 3339 in UTC.
func FormatTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

// ParseTime reads RFC 3339 with a zone (upper-case T and Z) as ms since 1970;
// what is finer is cut off. A leap second is the second before it. Times before
// 1970 are rejected.
func ParseTime(text string) (int64, error) {
	t, err := parseTime([]byte(text))
	if err == nil && t < 0 {
		return 0, reject("ts", CodeTime, "%q is before 1970-01-01T00:00:00Z", cut([]byte(text)))
	}
	return t, err
}

// LeapSecond reports whether the second that ends at end (seconds since 1970)
// may have had a second 60 after it: the last one of a month, in UTC.
func LeapSecond(end int64) bool {
	return end%86400 == 0 && time.Unix(end, 0).UTC().Day() == 1
}

func badTime(b []byte) error {
	return reject("ts", CodeTime, "%q is not a time: allowed is RFC 3339 with a zone, as in 2015-05-17T10:05:03Z, or a whole number of milliseconds", cut(b))
}

// parseTime is a hand-written RFC 3339, section 5.6: time.Parse takes a comma,
// one-digit hours and zones beyond a day as well.
func parseTime(b []byte) (int64, error) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, badTime(b)
	}
	num := func(i, n int) int {
		v := 0
		for _, c := range b[i : i+n] {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			v = v*10 + int(c-'0')
		}
		return v
	}
	year, month, day := num(0, 4), num(5, 2), num(8, 2)
	hour, minute, second := num(11, 2), num(14, 2), num(17, 2)
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return 0, badTime(b)
	}
	zone := b[19:]
	ms := 0
	if zone[0] == '.' {
		n := 1
		scale := 100
		for n < len(zone) && zone[n] >= '0' && zone[n] <= '9' {
			ms += int(zone[n]-'0') * scale
			scale /= 10
			n++
		}
		if n == 1 || n == len(zone) {
			return 0, badTime(b)
		}
		zone = zone[n:]
	}
	offset := 0
	switch {
	case len(zone) == 1 && zone[0] == 'Z':
	case len(zone) == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':':
		at := len(b) - 6
		h, m := num(at+1, 2), num(at+4, 2)
		if h < 0 || h > 23 || m < 0 || m > 59 {
			return 0, badTime(b)
		}
		offset = (h*60 + m) * 60
		if zone[0] == '-' {
			offset = -offset
		}
	default:
		return 0, badTime(b)
	}
	seconds := daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second-offset)
	if second == 60 {
		if !LeapSecond(seconds) { // second 60 of a minute is second 0 of the next
			return 0, badTime(b)
		}
		seconds--
	}
	return seconds*1000 + int64(ms), nil
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 is Howard Hinnant's days_from_civil.
func daysSince1970(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

// cut shortens a text for an error.
func cut(b []byte) []byte {
	if len(b) > 80 {
		return append(append([]byte(nil), b[:77]...), "..."...)
	}
	return b
}
