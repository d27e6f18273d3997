package httpserver

import (
	"net/http"

	"speedlayer/internal/problem"
)

// Headers that every answer has. Handlers of pages set a policy of their own.
var (
	nosniff   = []string{"nosniff"}
	referrers = []string{"same-origin"}
	policy    = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
)

// openToAll are paths that pages of other sites send to: that is what they are
// for. Nothing there depends on who the browser's user is.
var openToAll = map[string]bool{"/api/v1/pageviews": true, "/api/event": true}

// protect adds headers, and refuses what pages of other sites want to change
// through a visitor's browser.
func protect(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = nosniff
		h["Referrer-Policy"] = referrers
		h["Content-Security-Policy"] = policy
		if !openToAll[r.URL.Path] && crossOrigin.Check(r) != nil {
			problem.Write(w, problem.Details{Status: http.StatusForbidden, Field: "Origin",
				Detail: "the request comes from a page of another site", Allowed: "requests from this server's own pages, and from programs"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
