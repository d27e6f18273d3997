// Package tracker is what runs in browsers: the script that sends pageviews,
// and a page that shows how to use it. Both are served as they lie here.
package tracker

import (
	_ "embed"
	"net/http"
)

//go:embed script.js
var script []byte

//go:embed demo.html
var demo []byte

// ServeScript is GET /js/script.js. Any site may load it.
func ServeScript(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	serve(w, "text/javascript; charset=utf-8", "public, max-age=3600", script)
}

// ServeDemo is GET /demo/ and every path below: the routes of a single-page
// app.
func ServeDemo(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", demoPolicy)
	serve(w, "text/html; charset=utf-8", "no-cache", demo)
}

// demoPolicy allows the script and the style that the page itself has.
const demoPolicy = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func serve(w http.ResponseWriter, kind, cache string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", cache)
	_, _ = w.Write(content) // the client may be gone
}
