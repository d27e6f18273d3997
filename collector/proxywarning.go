package collector

import (
	"net/http"
	"net/netip"

	"speedlayer/internal/clientaddr"
)

// forwardingHeaders are what proxies put the client's address into.
var forwardingHeaders = [...]string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Cf-Connecting-Ip"}

// warnOfProxy logs, once, that a proxy on a private address is taken for the
// visitor although it names one. Not believing it is right, since anybody can
// write these headers; but without --trusted-proxies everybody is one visitor
// then, which is the usual mistake when a server runs in Docker or with nginx.
func (c *Collector) warnOfProxy(r *http.Request, client netip.Addr) {
	if c.warned.Load() {
		return
	}
	if peer, ok := clientaddr.Parse(r.RemoteAddr); !ok || peer != client {
		return // a proxy was believed
	}
	if !clientaddr.Private(client) {
		return
	}
	for _, name := range forwardingHeaders {
		if r.Header[name] == nil || c.warned.Swap(true) {
			continue
		}
		if clientaddr.In(c.cfg.TrustedProxies)(client) {
			c.cfg.Logger.Warn("a trusted proxy names no client in X-Forwarded-For, so all of its visitors count as one; let it send that header",
				"proxy", client, "header", name)
		} else {
			c.cfg.Logger.Warn("requests are forwarded by an address that is not trusted, so all of its visitors count as one; if it is your proxy, name it with --trusted-proxies",
				"proxy", client, "header", name)
		}
		return
	}
}
