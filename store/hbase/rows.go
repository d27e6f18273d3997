package hbase

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"speedlayer/store"
)

// The cells of a generation are in a separate table. Everything but long urls can
// be read as text:
//
//	row        bucket | ':' | url | 0x00 | day                          url of up to 200 bytes
//	           bucket | ':' | head | 0x00 | hash | 0x00 | day           a longer one
//	family     the view, in decimal
//	qualifier  hour | '/' | epoch | '/' | partition                     the whole cell
//	           hour | '/' | epoch | '/' | partition | '/' | delta      what it gained since (store.TakesDeltas)
//	timestamp  the cell's version
//	value      the cell's bytes; in a hashed row: length u32 | url | bytes, big-endian
//
//	bucket     one of 0-9, a-f: the top four bits of XXH3 of the url
//	head       the first 160 bytes of the url
//	hash       XXH3, 128 bits, of the url in 32 hex digits
//	delta     two digits, from 01
//	day        2015-05-17; after the year 9999 a colon, six digits of year, -05-17
//	hour       hour of the day, two digits
//	epoch      decimal; so is partition
//
// So a row is one url and one day, and its columns are hours: the picture of
// url -> hour -> count. Cells of all views of a url share its row, and a batch
// has one put for them. The bucket spreads the urls of one domain over the regions
// of the table; the day bounds the size of a row. A url contains no 0x00, so that
// byte ends it, and the rows of one url are contiguous, by day.
const (
	buckets    = 16
	longURL    = 200 // bytes; the row key of a longer url is hashed
	headBytes  = 160 // of a hashed url
	hashBytes  = 32  // hex digits
	shortDay   = len("2015-05-17")
	longDay    = len(":010000-05-17")
	hexDigits  = "0123456789abcdef"
	hoursADay  = 24
	firstYear5 = 2_932_897 // day 0 of the year 10000
)

// bucketOf returns the part of the table that contains the rows of a url.
func bucketOf(url string) int { return int(xxh3.HashString(url) >> 60) }

// hashed reports whether a url is too long to be used as a row key.
func hashed(url string) bool { return len(url) > longURL }

// appendURLRow appends the part of a row key before the day.
func appendURLRow(dst []byte, url string) []byte {
	dst = append(dst, hexDigits[bucketOf(url)], ':')
	if !hashed(url) {
		return append(append(dst, url...), 0)
	}
	dst = append(append(dst, url[:headBytes]...), 0)
	h := xxh3.HashString128(url).Bytes()
	for _, b := range h {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return append(dst, 0)
}

// dayText caches the text of one day, because most cells of a batch are of one day.
type dayText struct {
	day  int32
	text []byte
}

func (d *dayText) append(dst []byte, day int32) []byte {
	if d.text == nil || d.day != day {
		d.day, d.text = day, appendDay(d.text[:0], day)
	}
	return append(dst, d.text...)
}

func appendDay(dst []byte, day int32) []byte {
	t := time.Unix(int64(day)*86400, 0).UTC()
	if day < firstYear5 {
		return t.AppendFormat(dst, time.DateOnly)
	}
	return fmt.Appendf(dst, ":%06d-%02d-%02d", t.Year(), t.Month(), t.Day())
}

func parseDay(b []byte) (int32, bool) {
	var year, month, day int
	switch {
	case len(b) == longDay && b[0] == ':':
		year = digits(b[1:7])
		b = b[7:]
	case len(b) == shortDay:
		year = digits(b[:4])
		b = b[4:]
	default:
		return 0, false
	}
	month, day = digits(b[1:3]), digits(b[4:6])
	if year < 0 || month < 0 || day < 0 || b[0] != '-' || b[3] != '-' {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Day() != day || int(t.Month()) != month || t.Unix() < 0 {
		return 0, false
	}
	return int32(t.Unix() / 86400), true
}

// digits parses a number made of digits only; it returns -1 for anything else.
func digits(b []byte) (n int) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// row is a parsed row key. url aliases it. For a hashed url it is only the head,
// and the values contain the whole url.
type row struct {
	url    []byte
	hashed bool
	day    int32
	// urlRow is the key up to the day: the same for all days of a url.
	urlRow []byte
}

func parseRow(key []byte) (r row, err error) {
	corrupt := func(what string) (row, error) {
		return row{}, fmt.Errorf("%w: row %q: %s", store.ErrCorrupt, key, what)
	}
	if len(key) < 2 || key[1] != ':' || !strings.Contains(hexDigits, string(key[:1])) {
		return corrupt("no bucket")
	}
	end := bytes.IndexByte(key, 0)
	if end < 0 {
		return corrupt("the url has no end")
	}
	r.url = key[2:end]
	last := bytes.LastIndexByte(key, 0)
	if r.hashed = last != end; r.hashed && (len(r.url) != headBytes || last != end+1+hashBytes) {
		return corrupt("no hash")
	}
	var ok bool
	if r.day, ok = parseDay(key[last+1:]); !ok {
		return corrupt("no day")
	}
	r.urlRow = key[:last+1]
	return r, nil
}

// deltas is the number of deltas of a cell that have columns. A cell that changes
// with every batch is put whole once in so many puts, and read from as many columns.
const deltas = 31

// appendQualifier appends the name of a column. hour is the hour of the day; delta
// is 0 for the whole cell.
func appendQualifier(dst []byte, hour int32, s store.Shard, delta int32) []byte {
	dst = appendHour(dst, hour)
	dst = append(dst, '/')
	dst = strconv.AppendUint(dst, uint64(s.Epoch), 10)
	dst = append(dst, '/')
	dst = strconv.AppendInt(dst, int64(s.Partition), 10)
	if delta > 0 {
		dst = append(dst, '/', byte('0'+delta/10), byte('0'+delta%10))
	}
	return dst
}

func appendHour(dst []byte, hour int32) []byte {
	return append(dst, byte('0'+hour/10), byte('0'+hour%10))
}

func parseQualifier(q []byte) (hour int32, s store.Shard, delta int32, err error) {
	if len(q) > 3 && q[2] == '/' {
		h, g := digits(q[:2]), 0
		e, p, ok := bytes.Cut(q[3:], []byte("/"))
		if n := len(p) - 3; n > 0 && p[n] == '/' {
			g, p = digits(p[n+1:]), p[:n]
			ok = ok && g > 0
		}
		epoch, partition := digits(e), digits(p)
		if ok && h >= 0 && h < hoursADay && plain(e) && plain(p) && epoch <= 1<<32-1 && partition <= 1<<31-1 {
			return int32(h), store.Shard{Epoch: uint32(epoch), Partition: int32(partition)}, int32(g), nil
		}
	}
	return 0, store.Shard{}, 0, fmt.Errorf("%w: column %q", store.ErrCorrupt, q)
}

// plain reports whether b is a number in canonical form: only digits, not too many,
// no leading zero.
func plain(b []byte) bool {
	return len(b) > 0 && len(b) <= 10 && digits(b) >= 0 && (len(b) == 1 || b[0] != '0')
}

// appendURLValue appends what precedes a value in a hashed row.
func appendURLValue(dst []byte, url string) []byte {
	dst = append(dst, byte(len(url)>>24), byte(len(url)>>16), byte(len(url)>>8), byte(len(url)))
	return append(dst, url...)
}

// urlOfValue takes the url of a hashed row from the front of a value.
func urlOfValue(value []byte) (url, rest []byte, err error) {
	if len(value) >= 4 {
		n := int(value[0])<<24 | int(value[1])<<16 | int(value[2])<<8 | int(value[3])
		if n > longURL && n <= len(value)-4 {
			return value[4 : 4+n], value[4+n:], nil
		}
	}
	return nil, nil, fmt.Errorf("%w: a value of %d bytes has no url in front", store.ErrCorrupt, len(value))
}

// family returns the name of a view's column family.
func family(v store.ViewID) string { return strconv.Itoa(int(v)) }
