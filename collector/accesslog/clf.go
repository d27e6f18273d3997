package accesslog

import (
	"bytes"

	"speedlayer/internal/clientaddr"
)

// clf reads a line of the common log format, or of the combined one, which has
// referrer and user agent after it:
//
//	[host[:port]] addr ident user [time] "method target protocol" status bytes "referrer" "user agent" ...
//
// The virtual host in front is read whether it was announced or not; so is a
// list of forwarded addresses after the user agent. What else follows, as
// Traefik's fields, is not needed.
func (p *Parser) clf(line []byte, l *Line) error {
	head, rest, ok := cutTime(line, &l.Time)
	if !ok {
		return ErrFormat
	}
	if err := p.head(head, l); err != nil {
		return err
	}
	request, rest, ok := quoted(rest[1:])
	if !ok {
		return ErrFormat
	}
	l.Method, l.Target = splitRequest(request)
	if l.Status, rest, ok = status(rest); !ok {
		return ErrFormat
	}
	switch p.o.Format {
	case Common:
		if p.tail(rest, l) && l.UserAgent != nil {
			p.seen.longer++
		}
		return nil
	case VHost:
		if len(bytes.TrimSpace(rest)) == 0 {
			return nil
		}
	}
	if !p.tail(rest, l) {
		return ErrFormat
	}
	return nil
}

// tail reads referrer, user agent, and the forwarded addresses after them. A
// line may end before each of the last two.
func (p *Parser) tail(rest []byte, l *Line) (ok bool) {
	if l.Referrer, rest, ok = field(rest); !ok {
		return false
	}
	if len(bytes.TrimSpace(rest)) == 0 {
		return true
	}
	if l.UserAgent, rest, ok = field(rest); !ok {
		return false
	}
	if list, _, ok := field(rest); ok && len(list) > 0 && isList(string(list)) {
		l.from.forwarded = string(list)
	}
	return true
}

// head reads what stands before the time: client, ident and user, and perhaps
// the virtual host before them. Anything else is another format: taken for the
// client, it would make one person of everybody.
func (p *Parser) head(head []byte, l *Line) error {
	first, after, ok := word(head)
	if !ok || len(first) == 0 {
		return ErrFormat
	}
	host, isHost := virtualHost(first)
	if isHost || p.o.Format == VHost && bytes.IndexByte(first, ',') < 0 {
		if rest, ok := cutSecond(after, &l.from); ok {
			if len(host) > 0 {
				l.Host = host
			}
			return p.user(rest, l)
		}
	}
	if rest, ok := cutClient(head, &l.from); ok {
		if _, two := cutSecond(rest, &origin{}); two {
			return ErrTwo
		}
		return p.user(rest, l)
	}
	if isName(first) && bytes.HasPrefix(after, []byte("- ")) {
		l.from = origin{name: first}
		return p.user(after, l)
	}
	return ErrAddress
}

// cutSecond reads a client that is not the first field. A - there is the ident.
func cutSecond(b []byte, from *origin) (rest []byte, ok bool) {
	var second origin
	if rest, ok = cutClient(b, &second); !ok || second.none {
		return nil, false
	}
	*from = second
	return rest, true
}

// user reads ident, which nobody trusts, and the user.
func (p *Parser) user(b []byte, l *Line) error {
	_, who, ok := word(b)
	if !ok {
		return ErrFormat
	}
	l.User = userName(who)
	return nil
}

// virtualHost reads host[:port] in front of a line. The port is the server's,
// which a proxy in front of it hides: it is dropped. ok means that it cannot be
// anything else: it has a port or a dot, or the server has no name for it.
func virtualHost(b []byte) (host []byte, ok bool) {
	switch string(b) {
	case "-", "_", `""`:
		return nil, true
	case "localhost":
		return b, true
	}
	host = b
	port := false
	if i := bytes.LastIndexByte(b, ':'); i > 0 && isPort(b[i+1:]) && (bytes.IndexByte(b, ':') == i || b[i-1] == ']') {
		host, port = b[:i], true
	}
	if _, isAddr := clientaddr.Parse(string(host)); isAddr {
		return host, port
	}
	if string(host) == "_" || string(host) == "-" {
		return nil, true
	}
	return host, isName(host) && (port || bytes.IndexByte(host, '.') > 0)
}

func isPort(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 5
}

// isName reports whether a text can be a host's name.
func isName(b []byte) bool {
	letter := false
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80:
			letter = true
		case c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_':
		default:
			return false
		}
	}
	return letter && len(b) <= 255 && b[0] != '.' && b[0] != '-'
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
		if t, ok := logTime(b[i+1 : i+n]); ok {
			*ms = t
			return b[:i], b[i+n+1:], true
		}
	}
	return nil, nil, false
}

// status reads ` 200 1234`: status and bytes.
func status(b []byte) (code int, rest []byte, ok bool) {
	if len(b) < 5 || b[0] != ' ' || b[4] != ' ' {
		return 0, nil, false
	}
	if code, ok = statusCode(b[1:4]); !ok {
		return 0, nil, false
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

func statusCode(b []byte) (code int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		code = code*10 + int(c-'0')
	}
	return code, len(b) == 3
}
