package collector

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddr is the address of the client of a request: the connection's peer,
// or, if that is a trusted proxy, the last address of X-Forwarded-For that is
// none. What stands before it anyone may have written. An entry that is no
// address ends the search: the proxy that wrote it is the client, as far as one
// can tell.
func clientAddr(r *http.Request, trusted []netip.Prefix) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	addr := plain(peer.Addr())
	headers := r.Header["X-Forwarded-For"]
	for i := len(headers) - 1; i >= 0; i-- {
		rest := headers[i]
		for more := true; more; {
			if !isTrusted(addr, trusted) {
				return addr, true
			}
			entry := rest
			comma := strings.LastIndexByte(rest, ',')
			if more = comma >= 0; more {
				entry, rest = rest[comma+1:], rest[:comma]
			}
			next, ok := parseForwarded(strings.TrimSpace(entry))
			if !ok {
				return addr, true
			}
			addr = next
		}
	}
	return addr, true
}

// parseForwarded reads an address, with a port or without, IPv6 in brackets or
// without.
func parseForwarded(entry string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(entry); err == nil {
		return plain(at.Addr()), true
	}
	if len(entry) > 2 && entry[0] == '[' && entry[len(entry)-1] == ']' {
		entry = entry[1 : len(entry)-1]
	}
	addr, err := netip.ParseAddr(entry)
	return plain(addr), err == nil
}

// plain makes an address that was written in several ways one person.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
