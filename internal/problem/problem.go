// Package problem writes HTTP errors as RFC 9457 problem details, the one error
// format of every path that speedlayer serves.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Details is the body of an error. Field and Allowed are extensions: what in
// the request was wrong, and what would have been right.
type Details struct {
	Type     string `json:"type"` // "about:blank": the status says it all
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Field    string `json:"field,omitempty"`
	Allowed  string `json:"allowed,omitempty"`
	Rejected any    `json:"rejected,omitempty"` // collector: what was rejected, by index

	// RetryAfter in seconds goes into the header of that name; 0 leaves it out.
	RetryAfter int `json:"-"`
}

// ContentType of every error body.
const ContentType = "application/problem+json"

// Write answers with d. Title defaults to the text of the status.
func Write(w http.ResponseWriter, d Details) {
	if d.Type == "" {
		d.Type = "about:blank"
	}
	if d.Title == "" {
		d.Title = http.StatusText(d.Status)
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	if d.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(d.RetryAfter))
	}
	w.WriteHeader(d.Status)
	// The client may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(d)
}

// NotFound answers 404 for a path that is not served.
func NotFound(w http.ResponseWriter, r *http.Request) {
	Write(w, Details{Status: http.StatusNotFound, Field: "path", Detail: "nothing is served at " + strconv.Quote(r.URL.Path), Allowed: "see /openapi.yaml"})
}

// Methods serves one path by method; any other method gets 405 with Allow.
type Methods map[string]http.HandlerFunc

func (m Methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := m[r.Method]; ok {
		h(w, r)
		return
	}
	if h, ok := m[http.MethodGet]; ok && r.Method == http.MethodHead {
		h(w, r)
		return
	}
	allowed := ""
	for _, name := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
		if _, ok := m[name]; ok {
			if allowed != "" {
				allowed += ", "
			}
			allowed += name
		}
	}
	w.Header().Set("Allow", allowed)
	Write(w, Details{Status: http.StatusMethodNotAllowed, Field: "method", Detail: r.Method + " is not served here", Allowed: allowed})
}
