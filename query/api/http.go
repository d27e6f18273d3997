package api

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
	"speedlayer/query"
	"speedlayer/store"
)

// maxBody bounds the body of a call: two identifiers with every byte escaped.
const maxBody = 16 << 10

// Handlers returns the handlers by path and method. A path may also have methods of
// others (POST /api/v1/pageviews is the collector's). The caller adds those to the map
// of that path, so that 405 names all of them.
func (s *Server) Handlers() map[string]problem.Methods {
	return map[string]problem.Methods{
		"/api/v1/pageviews":   {http.MethodGet: s.answer(s.getPageviews)},
		"/api/v1/uniques":     {http.MethodGet: s.answer(s.getUniques)},
		"/api/v1/bounce-rate": {http.MethodGet: s.answer(s.getBounceRate)},
		"/api/v1/top":         {http.MethodGet: s.answer(s.getTop)},
		"/api/v1/domains":     {http.MethodGet: s.answer(s.getDomains)},
		"/api/v1/status":      {http.MethodGet: s.answer(s.getStatus)},
		"/api/v1/export":      {http.MethodGet: s.getExport},
		"/api/v1/live":        {http.MethodGet: s.getLive},
		"/api/v1/equivs": {
			http.MethodGet:    s.answer(s.getEquivs),
			http.MethodPost:   s.answer(s.changeEquiv(s.cfg.Engine.AddEquiv)),
			http.MethodDelete: s.answer(s.changeEquiv(s.cfg.Engine.RemoveEquiv)),
		},
	}
}

// Register serves Handlers on a mux on which none of their paths is registered.
func (s *Server) Register(mux *http.ServeMux) {
	for path, methods := range s.Handlers() {
		mux.Handle(path, methods)
	}
}

// answer writes what get returns as JSON, or its error as a problem.
func (s *Server) answer(get func(ctx context.Context, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.cfg.QueryTime)
		defer cancel()
		if err := s.queries.take(ctx); err != nil {
			writeError(w, err)
			return
		}
		defer s.queries.give()
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
	var e *query.Error
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

func (s *Server) getPageviews(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "url", "from", "to", "by")
	if err != nil {
		return nil, err
	}
	return s.cfg.Engine.Pageviews(ctx, query.URLQuery{URL: p["url"], From: p["from"], To: p["to"], By: p["by"]})
}

func (s *Server) getUniques(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "url", "from", "to", "by")
	if err != nil {
		return nil, err
	}
	return s.cfg.Engine.Uniques(ctx, query.URLQuery{URL: p["url"], From: p["from"], To: p["to"], By: p["by"]})
}

func (s *Server) getBounceRate(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "domain", "from", "to", "by")
	if err != nil {
		return nil, err
	}
	return s.cfg.Engine.BounceRate(ctx, query.DomainQuery{Domain: p["domain"], From: p["from"], To: p["to"], By: p["by"]})
}

func (s *Server) getTop(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "domain", "from", "to", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := p.limit(query.MaxTop)
	if err != nil {
		return nil, err
	}
	return s.cfg.Engine.Top(ctx, query.TopQuery{Domain: p["domain"], From: p["from"], To: p["to"], Limit: limit})
}

func (s *Server) getDomains(ctx context.Context, r *http.Request) (any, error) {
	p, err := parseParams(r.URL.RawQuery, "from", "to", "limit", "search")
	if err != nil {
		return nil, err
	}
	limit, err := p.limit(query.MaxDomains)
	if err != nil {
		return nil, err
	}
	return s.cfg.Engine.Domains(ctx, query.DomainsQuery{From: p["from"], To: p["to"], Limit: limit, Search: p["search"]})
}

func (s *Server) getStatus(ctx context.Context, r *http.Request) (any, error) {
	if _, err := parseParams(r.URL.RawQuery); err != nil {
		return nil, err
	}
	return s.cfg.Engine.Status(ctx)
}

func (s *Server) getEquivs(ctx context.Context, r *http.Request) (any, error) {
	if _, err := parseParams(r.URL.RawQuery); err != nil {
		return nil, err
	}
	return s.cfg.Engine.Equivs(ctx)
}

// changeEquiv reads {"id1":...,"id2":...} and calls do.
func (s *Server) changeEquiv(do func(ctx context.Context, id1, id2 string) (*query.EquivAnswer, error)) func(context.Context, *http.Request) (any, error) {
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
		return "", "", &query.Error{Status: http.StatusUnsupportedMediaType, Field: "Content-Type",
			Detail: fmt.Sprintf("%q is not taken here", query.Shown(kind)), Allowed: "application/json"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return "", "", query.BadRequest("body", "could not be read", allowedPair)
	}
	if len(body) > maxBody {
		return "", "", &query.Error{Status: http.StatusRequestEntityTooLarge, Field: "body",
			Detail: fmt.Sprintf("has more than %d bytes", maxBody), Allowed: allowedPair}
	}
	return parsePair(body)
}

func isJSON(kind string) bool {
	media, _, _ := strings.Cut(kind, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}
