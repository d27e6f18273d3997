package collector

import "net/http"

// Trackers run on other sites than ours: any origin may send. Nothing here
// depends on cookies, so browsers need not send any.

var (
	anyOrigin = []string{"*"}
	exposed   = []string{"Retry-After"}
)

func allowAnyOrigin(w http.ResponseWriter) {
	h := w.Header()
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposed
}

// preflight answers a browser that asks whether it may send.
func preflight(w http.ResponseWriter, _ *http.Request) {
	allowAnyOrigin(w)
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Content-Encoding")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}
