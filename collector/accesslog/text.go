package accesslog

import "bytes"

func word(b []byte) (w, rest []byte, ok bool) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+1:], true
}

// userName is nil for -, "" and nothing.
func userName(b []byte) []byte {
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
