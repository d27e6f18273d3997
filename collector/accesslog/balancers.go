package accesslog

import "bytes"

// alb reads a line of an application load balancer of Amazon's:
//
//	type time elb client:port target:port t t t status status bytes bytes "method url protocol" "user agent" ...
func (p *Parser) alb(line []byte, l *Line) error {
	f := splitFields(line)
	if len(f) < 14 || !isSchemeOfALB(f[0]) {
		return ErrFormat
	}
	return balancer(l, f[1], f[3], f[8], f[12], f[13])
}

func isSchemeOfALB(b []byte) bool {
	switch string(b) {
	case "http", "https", "h2", "grpcs", "ws", "wss":
		return true
	}
	return false
}

// elb reads a line of a classic load balancer of Amazon's:
//
//	time elb client:port backend:port t t t status status bytes bytes "method url protocol" "user agent" cipher protocol
//
// The oldest ones have no user agent.
func (p *Parser) elb(line []byte, l *Line) error {
	f := splitFields(line)
	if len(f) < 12 {
		return ErrFormat
	}
	var agent []byte
	if len(f) > 12 {
		agent = f[12]
	}
	return balancer(l, f[0], f[2], f[7], f[11], agent)
}

func balancer(l *Line, time, client, status, request, agent []byte) error {
	var ok bool
	if l.Time, ok = isoTime(string(time), nil); !ok {
		return ErrFormat
	}
	if string(status) != "-" {
		if l.Status, ok = statusCode(status); !ok {
			return ErrFormat
		}
	}
	l.Method, l.Target = splitRequest(request)
	if string(agent) != "-" {
		l.UserAgent = unescape(agent, false)
	}
	return l.from.set(client)
}

// haproxy reads a line of HAProxy's HTTP log, whose time has no zone:
//
//	client:port [time] frontend backend/server timers status bytes - - ---- conns queues {captured} {headers} "request"
func (p *Parser) haproxy(line []byte, l *Line) error {
	client, rest, ok := word(line)
	if !ok || len(rest) == 0 || rest[0] != '[' {
		return ErrFormat
	}
	end := bytes.Index(rest, []byte("] "))
	if end < 0 {
		return ErrFormat
	}
	t, after, ok := clock(rest[1:end])
	if !ok || len(after) > 0 || !t.valid(0) {
		return ErrFormat
	}
	quote := bytes.IndexByte(rest, '"')
	if quote < 0 {
		return ErrFormat
	}
	f := bytes.Fields(rest[end+2 : quote])
	if len(f) < 9 || bytes.IndexByte(f[1], '/') < 0 || bytes.IndexByte(f[2], '/') < 0 {
		return ErrFormat
	}
	if l.Status, ok = statusCode(f[3]); !ok && string(f[3]) != "-1" {
		return ErrFormat
	}
	request, _, ok := quoted(rest[quote:])
	if !ok {
		request = rest[quote+1:]
	}
	l.Method, l.Target = splitRequest(request)
	_, offset := t.date(p.o.Zone)
	l.Time = t.ms(offset)
	p.seen.zoneless++
	return l.from.set(client)
}
