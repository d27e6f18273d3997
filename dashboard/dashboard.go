package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"speedlayer/internal/problem"
)

// Policy is the Content-Security-Policy of the page. It allows its files, its server,
// and nothing else. It also requires Trusted Types: no text of a pageview can become
// markup, because nothing on the page makes markup from text.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Handlers returns the handlers of the dashboard, by pattern of http.ServeMux: the
// page at "/{$}" and its files below "/assets/". It fails only if the embedded
// files are broken, which the tests exclude.
func Handlers() (map[string]http.Handler, error) {
	b, err := load(files)
	if err != nil {
		return nil, err
	}
	return map[string]http.Handler{
		"/{$}":         problem.Methods{http.MethodGet: b.servePage},
		"/assets/":     problem.Methods{http.MethodGet: b.serveAsset},
		"/favicon.ico": problem.Methods{http.MethodGet: b.serveIcon},
	}, nil
}

func (b *bundle) servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", Policy)
	w.Header().Set("Referrer-Policy", "same-origin")
	send(w, r, b.page, "no-cache")
}

// serveAsset serves /assets/VERSION/NAME, which may be cached for ever, and
// /assets/NAME, which must be revalidated. A version other than that of this binary is
// not found, because its files may differ.
func (b *bundle) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/assets/")
	cache := "no-cache"
	if rest, ok := strings.CutPrefix(name, b.version+"/"); ok {
		name, cache = rest, "public, max-age=31536000, immutable"
	}
	a, ok := b.named[name]
	if !ok {
		problem.NotFound(w, r)
		return
	}
	send(w, r, a, cache)
}

func (b *bundle) serveIcon(w http.ResponseWriter, r *http.Request) {
	send(w, r, b.named["icon.svg"], "no-cache")
}

// send answers GET and HEAD with an asset, or 304 if the client has it.
func send(w http.ResponseWriter, r *http.Request, a asset, cache string) {
	body, tag := a.body, a.etag
	h := w.Header()
	if a.packed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			body, tag = a.packed, a.etagGz
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Cache-Control", cache)
	h.Set("ETag", tag)
	h.Set("X-Content-Type-Options", "nosniff")
	if has(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// The client may have disconnected; then nobody can be told.
	_, _ = w.Write(body)
}

// has reports whether the list of tags in If-None-Match contains tag. It uses the weak
// comparison, as RFC 9110 requires for this header.
func has(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || one == tag {
			return true
		}
	}
	return false
}

// acceptsGzip reports whether Accept-Encoding allows gzip, or anything, with a weight
// other than 0.
func acceptsGzip(header string) bool {
	for one := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "*" {
			continue
		}
		q, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q=")
		value, err := strconv.ParseFloat(q, 64)
		return !ok || (err == nil && value > 0)
	}
	return false
}
