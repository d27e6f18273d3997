// Package clientaddr reads addresses of clients as servers and proxies write
// them, and finds the client in a list of forwarded addresses. The collector
// and the importer share it, so that a client is the same person in both.
package clientaddr

import (
	"net/netip"
	"strings"
)

// Parse reads an IP address in any usual spelling: with or without a port, IPv6
// in brackets or without, with a zone, quoted. The result has one spelling: an
// IPv4-mapped address is IPv4, and the zone is dropped.
func Parse(text string) (netip.Addr, bool) {
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		if at, err := netip.ParseAddrPort(text); err == nil {
			return canonical(at.Addr()), true
		}
		if len(text) > 2 && text[0] == '[' && text[len(text)-1] == ']' {
			addr, err = netip.ParseAddr(text[1 : len(text)-1])
		}
		if err != nil {
			return netip.Addr{}, false
		}
	}
	return canonical(addr), true
}

func canonical(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// Client finds the client of a request that came from peer. lists are the
// values of X-Forwarded-For, in their order. The client is the last address
// that is not trusted, the peer included: anyone may have written what stands
// before it. An entry that is not an address ends the search: the proxy that
// wrote it is the client, as far as one can tell.
func Client(peer netip.Addr, lists []string, trusted func(netip.Addr) bool) netip.Addr {
	addr := peer
	for i := len(lists) - 1; i >= 0; i-- {
		rest := lists[i]
		for more := true; more; {
			if !trusted(addr) {
				return addr
			}
			entry := rest
			comma := strings.LastIndexByte(rest, ',')
			if more = comma >= 0; more {
				entry, rest = rest[comma+1:], rest[:comma]
			}
			next, ok := Parse(strings.TrimSpace(entry))
			if !ok {
				return addr
			}
			addr = next
		}
	}
	return addr
}

// In returns a function that reports whether an address lies in one of the
// prefixes.
func In(prefixes []netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		for _, p := range prefixes {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
}

// shared is the address space of carriers (RFC 6598), which load balancers of
// some clouds have too.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// Private reports whether an address is one that only a proxy or a client of
// the own network can have: loopback, private, link-local, or shared.
func Private(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || shared.Contains(a)
}
