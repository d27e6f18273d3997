package collector

import (
	"net/http"
	"net/netip"

	"speedlayer/internal/clientaddr"
)

// clientAddr is the address of the client of a request: the connection's peer,
// or, if that is a trusted proxy, the last address of X-Forwarded-For that is
// not one.
func clientAddr(r *http.Request, trusted []netip.Prefix) (netip.Addr, bool) {
	peer, ok := clientaddr.Parse(r.RemoteAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return clientaddr.Client(peer, r.Header["X-Forwarded-For"], clientaddr.In(trusted)), true
}
