package accesslog

import (
	"bytes"
	"net/netip"
	"strings"

	"speedlayer/internal/clientaddr"
)

// origin is what a line says of where the request came from.
type origin struct {
	peer      netip.Addr // of the connection
	name      []byte     // of the peer, where the server looks names up
	local     bool       // a unix socket: a proxy on the same machine
	none      bool       // the address is -
	list      string     // a list in the first field's place
	forwarded string     // X-Forwarded-For in a field of its own
}

// cutClient reads the client at the beginning of b: an address, a list of
// forwarded ones, unix:, or -.
func cutClient(b []byte, from *origin) (rest []byte, ok bool) {
	w, rest, _ := word(b)
	if bytes.IndexByte(w, ',') >= 0 {
		for w[len(w)-1] == ',' {
			next, after, more := word(rest)
			if len(next) == 0 || !more {
				return nil, false
			}
			w, rest = b[:len(w)+1+len(next)], after
		}
		from.list = string(w)
		return rest, isList(from.list)
	}
	if addr, ok := clientaddr.Parse(string(w)); ok {
		from.peer = addr
		return rest, true
	}
	from.local = string(w) == "unix:"
	from.none = string(w) == "-"
	return rest, from.local || from.none
}

// isList reports whether a text is a list of forwarded addresses. Proxies write
// "unknown" for a client that they do not know, and the last one is its own.
func isList(text string) bool {
	entries := strings.Split(text, ",")
	for i, e := range entries {
		e = strings.TrimSpace(e)
		if _, ok := clientaddr.Parse(e); !ok && (i == len(entries)-1 || e != "unknown" && e != "-") {
			return false
		}
	}
	return true
}

// client finds the person's address.
func (p *Parser) client(l *Line) error {
	from := &l.from
	switch {
	case from.list != "":
		rest, last := "", from.list
		if i := strings.LastIndexByte(from.list, ','); i >= 0 {
			rest, last = from.list[:i], from.list[i+1:]
		}
		peer, ok := clientaddr.Parse(strings.TrimSpace(last))
		if !ok {
			return ErrAddress
		}
		p.set(l, peer, rest, p.trusted(netip.Addr{}))
	case from.peer.IsValid() && (!hasForwarded(from) || p.o.ClientFrom == First):
		l.Addr = from.peer.AppendTo(nil)
	case from.peer.IsValid():
		p.set(l, from.peer, from.forwarded, p.trusted(from.peer))
	case hasForwarded(from) && (from.local || p.o.ClientFrom == Forwarded):
		proxy := netip.IPv6Loopback()
		p.set(l, proxy, from.forwarded, func(a netip.Addr) bool { return a == proxy || p.trusted(netip.Addr{})(a) })
	case from.none:
		return ErrNoAddress
	case len(from.name) > 0:
		l.Addr = bytes.ToLower(bytes.TrimSuffix(from.name, []byte(".")))
	default:
		return ErrAddress
	}
	return nil
}

func hasForwarded(from *origin) bool { return from.forwarded != "" && from.forwarded != "-" }

// set takes the client of a list that came from peer.
func (p *Parser) set(l *Line, peer netip.Addr, list string, trusted func(netip.Addr) bool) {
	addr := peer
	if list != "" {
		addr = clientaddr.Client(peer, []string{list}, trusted)
	}
	l.Addr = addr.AppendTo(nil)
	if addr == peer {
		return
	}
	p.seen.forwarded++
	public := 0
	for e := range strings.SplitSeq(list, ",") {
		if a, ok := clientaddr.Parse(strings.TrimSpace(e)); ok && !trusted(a) {
			public++
		}
	}
	if public > 1 {
		p.seen.several++
	}
}

// trusted says whose word on the client is taken.
func (p *Parser) trusted(peer netip.Addr) func(netip.Addr) bool {
	switch {
	case len(p.o.Trusted) > 0:
		return clientaddr.In(p.o.Trusted)
	case p.o.ClientFrom == Forwarded:
		return func(a netip.Addr) bool { return a == peer || clientaddr.Private(a) }
	}
	return clientaddr.Private
}
