package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"speedlayer/internal/problem"
	"speedlayer/store"
)

// maxBody bounds the body of a call: two identifiers with every byte escaped.
const maxBody = 16 << 10

// Handlers returns the handlers of the engine, by path and method. A path may
// also have methods of others (POST /api/v1/pageviews is the collector's). The caller
// that puts a server together adds those to the map of that path, so that 405 names
// all of them.
func (e *Engine) Handlers() map[string]problem.Methods {
	return map[string]problem.Methods{
		"/api/v1/pageviews":   {http.MethodGet: e.answer(e.getPageviews)},
		"/api/v1/uniques":     {http.MethodGet: e.answer(e.getUniques)},
		"/api/v1/bounce-rate": {http.MethodGet: e.answer(e.getBounceRate)},
		"/api/v1/top":         {http.MethodGet: e.answer(e.getTop)},
		"/api/v1/domains":     {http.MethodGet: e.answer(e.getDomains)},
		"/api/v1/status":      {http.MethodGet: e.answer(e.getStatus)},
		"/api/v1/export":      {http.MethodGet: e.getExport},
		"/api/v1/live":        {http.MethodGet: e.getLive},
		"/api/v1/equivs": {
			http.MethodGet:    e.answer(e.getEquivs),
			http.MethodPost:   e.answer(e.changeEquiv(e.AddEquiv)),
			http.MethodDelete: e.answer(e.changeEquiv(e.RemoveEquiv)),
		},
	}
}

// Register serves Handlers on a mux on which none of their paths is registered.
func (e *Engine) Register(mux *http.ServeMux) {
	for path, methods := range e.Handlers() {
		mux.Handle(path, methods)
	}
}

// answer writes what get returns as JSON, or its error as a problem.
func (e *Engine) answer(get func(ctx context.Context, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), e.cfg.QueryTime)
		defer cancel()
		if err := e.queries.take(ctx); err != nil {
			writeError(w, err)
			return
		}
		defer e.queries.give()
		a, err := get(ctx, r)
		if err != nil {
			writeError(w, err)
			return
		}
		var body bytes.Buffer
		if err := encode(&body, a); err != nil {
			writeError(w, err)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		_, _ = w.Write(body.Bytes()) // nobody can be told when the client is gone
	}
}

// encode writes one JSON value as browsers, shells and files expect it: urls that
// contain & stay readable.
func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeError answers with a problem: 400 for a bad request, 503 for what the
// store or the queue could not do in time, 500 for anything unexpected.
func writeError(w http.ResponseWriter, err error) {
	var e *Error
	switch {
	case errors.As(err, &e):
		d := problem.Details{Status: e.Status, Field: e.Field, Detail: e.Detail, Allowed: e.Allowed}
		if e.Status == http.StatusTooManyRequests {
			d.RetryAfter = 1
		}
		problem.Write(w, d)
	case errors.Is(err, store.ErrCorrupt):
		problem.Write(w, problem.Details{Status: http.StatusInternalServerError, Detail: err.Error()})
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, Detail: "not done in time: " + err.Error(), RetryAfter: 1})
	default:
		problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, Detail: err.Error(), RetryAfter: 1})
	}
}

func (e *Engine) getPageviews(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "url", "from", "to", "by")
	if err != nil {
		return nil, err
	}
	return e.Pageviews(ctx, URLQuery{p["url"], p["from"], p["to"], p["by"]})
}

func (e *Engine) getUniques(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "url", "from", "to", "by")
	if err != nil {
		return nil, err
	}
	return e.Uniques(ctx, URLQuery{p["url"], p["from"], p["to"], p["by"]})
}

func (e *Engine) getBounceRate(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "domain", "from", "to", "by")
	if err != nil {
		return nil, err
	}
	return e.BounceRate(ctx, DomainQuery{p["domain"], p["from"], p["to"], p["by"]})
}

func (e *Engine) getTop(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "domain", "from", "to", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := p.limit(maxTop)
	if err != nil {
		return nil, err
	}
	return e.Top(ctx, TopQuery{p["domain"], p["from"], p["to"], limit})
}

func (e *Engine) getDomains(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "from", "to", "limit", "search")
	if err != nil {
		return nil, err
	}
	limit, err := p.limit(maxDomains)
	if err != nil {
		return nil, err
	}
	return e.Domains(ctx, DomainsQuery{p["from"], p["to"], limit, p["search"]})
}

func (e *Engine) getStatus(ctx context.Context, r *http.Request) (any, error) {
	if _, err := parseParams(r.URL.RawQuery); err != nil {
		return nil, err
	}
	return e.Status(ctx)
}

func (e *Engine) getEquivs(ctx context.Context, r *http.Request) (any, error) {
	if _, err := parseParams(r.URL.RawQuery); err != nil {
		return nil, err
	}
	return e.Equivs(ctx)
}

// changeEquiv reads {"id1":...,"id2":...} and calls do.
func (e *Engine) changeEquiv(do func(ctx context.Context, id1, id2 string) (*EquivAnswer, error)) func(context.Context, *http.Request) (any, error) {
	return func(ctx context.Context, r *http.Request) (any, error) {
		if _, err := parseParams(r.URL.RawQuery); err != nil {
			return nil, err
		}
		id1, id2, err := readPair(r)
		if err != nil {
			return nil, err
		}
		return do(ctx, id1, id2)
	}
}

const allowedPair = `{"id1":"...","id2":"..."}`

func readPair(r *http.Request) (id1, id2 string, err error) {
	if kind := r.Header.Get("Content-Type"); kind != "" && !isJSON(kind) {
		return "", "", &Error{Status: http.StatusUnsupportedMediaType, Field: "Content-Type",
			Detail: fmt.Sprintf("%q is not taken here", shown(kind)), Allowed: "application/json"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return "", "", bad("body", "could not be read", allowedPair)
	}
	if len(body) > maxBody {
		return "", "", &Error{Status: http.StatusRequestEntityTooLarge, Field: "body",
			Detail: fmt.Sprintf("has more than %d bytes", maxBody), Allowed: allowedPair}
	}
	return parsePair(body)
}

func isJSON(kind string) bool {
	media, _, _ := strings.Cut(kind, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}
