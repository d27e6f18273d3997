package accesslog

import (
	"bytes"
	"errors"
	"time"
)

// Line is a parsed line. Its slices alias the line, or what was unescaped.
type Line struct {
	Addr      []byte
	User      []byte // nil for none
	Time      int64  // ms since 1970
	Method    []byte
	Target    []byte // path, or absolute url; bytes that were escaped are %HH
	Status    int
	Referrer  []byte // combined format; nil for none
	UserAgent []byte
}

// ErrFormat: the line is none of the format.
var ErrFormat = errors.New("not a log line")

// timeLayout is the time of both formats, with its own offset.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// maxTime bounds a time with its brackets, in bytes: 28, and fractions.
const maxTime = 64

// Parse reads a line of the common log format, or, with combined, of the
// combined one, which has referrer and user agent behind it:
//
//	addr ident user [time] "method target protocol" status bytes "referrer" "user agent"
func Parse(line []byte, combined bool, l *Line) error {
	*l = Line{}
	rest := bytes.TrimRight(line, "\r\n")
	var ok bool
	if l.Addr, rest, ok = word(rest); !ok || len(l.Addr) == 0 {
		return ErrFormat
	}
	if _, rest, ok = word(rest); !ok { // ident, which nobody trusts
		return ErrFormat
	}
	who, rest, ok := cutTime(rest, &l.Time)
	if !ok {
		return ErrFormat
	}
	l.User = user(who)
	request, rest, ok := quoted(rest[1:])
	if !ok {
		return ErrFormat
	}
	l.Method, l.Target = splitRequest(request)
	if l.Status, rest, ok = status(rest); !ok {
		return ErrFormat
	}
	if !combined {
		return nil
	}
	if l.Referrer, rest, ok = field(rest); !ok {
		return ErrFormat
	}
	if len(bytes.TrimSpace(rest)) == 0 {
		return nil // cut before the user agent
	}
	if l.UserAgent, _, ok = field(rest); !ok {
		return ErrFormat
	}
	return nil
}

// cutTime finds the time, which a quoted text follows: ` [time] "`. What stands
// before it is the user, who may hold spaces and brackets or not be there.
func cutTime(b []byte, ms *int64) (who, rest []byte, ok bool) {
	for i := 0; i < len(b); i++ {
		if b[i] != '[' || i > 0 && b[i-1] != ' ' {
			continue
		}
		n := bytes.IndexByte(b[i:min(len(b), i+maxTime)], ']')
		if n < 0 || !bytes.HasPrefix(b[i+n+1:], []byte(` "`)) {
			continue
		}
		if t, err := time.Parse(timeLayout, string(b[i+1:i+n])); err == nil {
			*ms = t.UnixMilli()
			return b[:i], b[i+n+1:], true
		}
	}
	return nil, nil, false
}

func word(b []byte) (w, rest []byte, ok bool) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+1:], true
}

// user is nil for -, "" and nothing.
func user(b []byte) []byte {
	b = bytes.TrimSpace(b)
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	if len(b) == 0 || string(b) == "-" {
		return nil
	}
	return unescape(b, false)
}

// quoted reads a quoted text that begins at b[0]; its escapes stay.
func quoted(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[1:i], b[i+1:], true
		}
	}
	return nil, nil, false
}

// field reads ` "text"`. A line may end inside of it: servers and syslog cut
// long ones, quote and all, and what counts stands before.
func field(b []byte) (text, rest []byte, ok bool) {
	if !bytes.HasPrefix(b, []byte(` "`)) {
		return nil, nil, false
	}
	if text, rest, ok = quoted(b[1:]); !ok {
		text, rest = b[2:], nil
	}
	if string(text) == "-" {
		text = nil
	}
	return unescape(text, false), rest, true
}

// status reads ` 200 1234`: status and bytes.
func status(b []byte) (code int, rest []byte, ok bool) {
	if len(b) < 5 || b[0] != ' ' || b[4] != ' ' {
		return 0, nil, false
	}
	for _, c := range b[1:4] {
		if c < '0' || c > '9' {
			return 0, nil, false
		}
		code = code*10 + int(c-'0')
	}
	b = b[5:]
	n := 0
	for n < len(b) && b[n] != ' ' {
		if b[n] != '-' && (b[n] < '0' || b[n] > '9') {
			return 0, nil, false
		}
		n++
	}
	return code, b[n:], n > 0
}

// splitRequest cuts a request line. The target is all between the method and
// the last ` HTTP/`, without spaces around it; a line without a protocol is
// HTTP/0.9.
func splitRequest(request []byte) (method, target []byte) {
	method, target, _ = word(request)
	if method == nil {
		return request, nil
	}
	if i := bytes.LastIndex(target, []byte(" HTTP/")); i >= 0 {
		target = target[:i]
	} else if bytes.HasPrefix(target, []byte("HTTP/")) {
		target = nil
	}
	return method, unescape(bytes.Trim(target, " "), true)
}

// unescape undoes what servers write for bytes that a log line cannot hold: \"
// and \\, \xHH, and the letters of C. In a target these bytes, and spaces,
// become %HH, so that they are not taken for something else.
func unescape(b []byte, percent bool) []byte {
	if bytes.IndexByte(b, '\\') < 0 && (!percent || bytes.IndexByte(b, ' ') < 0) {
		return b
	}
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(b)+16)
	put := func(c byte) {
		if percent {
			out = append(out, '%', hex[c>>4], hex[c&15])
		} else {
			out = append(out, c)
		}
	}
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == ' ' && percent {
			put(c)
			continue
		}
		if c != '\\' || i+1 == len(b) {
			out = append(out, c)
			continue
		}
		i++
		switch b[i] {
		case 'x':
			if i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0 {
				put(byte(unhex(b[i+1])<<4 | unhex(b[i+2])))
				i += 2
				continue
			}
			out = append(out, '\\', 'x')
		case '"', '\\':
			put(b[i])
		case 'n':
			put('\n')
		case 'r':
			put('\r')
		case 't':
			put('\t')
		default:
			out = append(out, '\\', b[i])
		}
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
