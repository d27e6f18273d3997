package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"speedlayer/internal/problem"
	"speedlayer/internal/tokens"
)

// public is the rule of what everybody may do.
const public tokens.Scope = ""

// rules says who may do what, by method and path. What has no rule is for
// administrators, and fails a test. docs/security.md has the same table.
var rules = map[string]tokens.Scope{
	"POST /api/v1/pageviews": public, "OPTIONS /api/v1/pageviews": public,
	"POST /api/event": public, "OPTIONS /api/event": public,
	"GET /js/script.js": public, "GET /demo/": public,
	"GET /healthz": public, "GET /readyz": public, "GET /openapi.yaml": public,
	"GET /assets/": public, "GET /favicon.ico": public,

	"GET /{$}": tokens.Read, "GET /api/v1/pageviews": tokens.Read, "GET /api/v1/uniques": tokens.Read,
	"GET /api/v1/bounce-rate": tokens.Read, "GET /api/v1/top": tokens.Read, "GET /api/v1/domains": tokens.Read,
	"GET /api/v1/status": tokens.Read, "GET /api/v1/live": tokens.Read, "GET /api/v1/accuracy": tokens.Read,
	"GET /api/v1/applied": tokens.Read, "GET /api/v1/batch": tokens.Read, "GET /metrics": tokens.Read,

	"GET /api/v1/export": tokens.Admin, "GET /api/v1/cells": tokens.Admin,
	"GET /api/v1/equivs": tokens.Admin, "POST /api/v1/equivs": tokens.Admin, "DELETE /api/v1/equivs": tokens.Admin,
	"POST /api/v1/batch/run": tokens.Admin, "POST /api/v1/batch/rollback": tokens.Admin,
	"GET /api/v1/imports/{id}": tokens.Admin, "POST /api/v1/imports/{id}": tokens.Admin,
	tokensRoute: tokens.Admin, "POST /api/v1/tokens": tokens.Admin, "DELETE /api/v1/tokens": tokens.Admin,
}

const tokensRoute = "GET /api/v1/tokens"

// ruleOf is the scope that a request needs.
func ruleOf(method, path string) tokens.Scope {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if s, ok := rules[method+" "+path]; ok {
		return s
	}
	return tokens.Admin
}

// access decides about requests of one server.
type access struct {
	rows       tokens.Rows
	loopback   bool     // it listens on addresses of this machine only
	hosts      []string // names besides those of this machine under which it is reached
	ingestOnly bool
	insecure   bool

	mu    sync.Mutex
	known []tokens.Token
	asked time.Time
}

// tokensEvery is how long a token that was revoked by another process may still be
// taken.
const tokensEvery = time.Second

// NoTokenError: the server would let everybody read and change everything.
type NoTokenError struct{ Listen string }

func (e *NoTokenError) Error() string {
	return fmt.Sprintf("everybody who reaches %s could read and change everything. Allowed are: create a token first (speedlayer token create --scope admin), take pageviews only there (--ingest-only), or let it be so (--insecure)", e.Listen)
}

// newAccess refuses an address that others reach, unless something protects it.
func newAccess(ctx context.Context, rows tokens.Rows, o *HTTPConfig, l net.Listener) (*access, error) {
	a := &access{rows: rows, hosts: o.Hosts, ingestOnly: o.IngestOnly, insecure: o.Insecure, loopback: isLoopback(l.Addr())}
	all, err := a.tokens(ctx)
	if err != nil {
		return nil, err
	}
	if !a.loopback && len(all) == 0 && !a.ingestOnly && !a.insecure {
		return nil, &NoTokenError{o.Listen}
	}
	return a, nil
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// tokens are those of the store, as of a moment ago.
func (a *access) tokens(ctx context.Context) ([]tokens.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked.IsZero() && time.Since(a.asked) < tokensEvery {
		return a.known, nil
	}
	all, err := tokens.List(ctx, a.rows)
	if err != nil {
		return nil, err
	}
	a.known, a.asked = all, time.Now()
	return all, nil
}

// forget has the next request ask the store.
func (a *access) forget() {
	a.mu.Lock()
	a.asked = time.Time{}
	a.mu.Unlock()
}

// guard asks each request for the scope that its method and path need.
func (a *access) guard(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		need := ruleOf(r.Method, path)
		if need == public {
			next.ServeHTTP(w, r)
			return
		}
		if a.ingestOnly {
			problem.Write(w, problem.Details{Status: http.StatusForbidden, Detail: "this server takes pageviews only (--ingest-only)"})
			return
		}
		if a.loopback && !a.knownHost(r.Host) {
			problem.Write(w, problem.Details{Status: http.StatusMisdirectedRequest, Field: "Host", Detail: "this server is not reached under that name",
				Allowed: "localhost, 127.0.0.1, [::1] and the names of --hosts"})
			return
		}
		all, err := a.tokens(r.Context())
		if err != nil {
			problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, Detail: "tokens cannot be read: " + err.Error(), RetryAfter: 1})
			return
		}
		if len(all) == 0 && (a.loopback || a.insecure) {
			next.ServeHTTP(w, r)
			return
		}
		t := tokens.Find(all, secretOf(r))
		switch {
		case t == nil:
			w.Header().Set("WWW-Authenticate", `Basic realm="speedlayer: any user, a token as the password", charset="UTF-8"`)
			problem.Write(w, problem.Details{Status: http.StatusUnauthorized, Field: "Authorization", Detail: "a token is needed, or the one that was sent is not known",
				Allowed: "Bearer TOKEN, of scope " + string(need) + " (speedlayer token create)"})
		case !t.Scope.Includes(need):
			problem.Write(w, problem.Details{Status: http.StatusForbidden, Field: "Authorization", Detail: "the token's scope is " + string(t.Scope),
				Allowed: "a token of scope " + string(need)})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// secretOf is the token of a request: of a program as Bearer, of a browser that
// asked its user as the password of Basic.
func secretOf(r *http.Request) string {
	if scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret)
	}
	_, secret, _ := r.BasicAuth()
	return secret
}

// knownHost reports whether a Host is a name of this machine: a page of another
// site whose name leads here (DNS rebinding) sends its own.
func (a *access) knownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap().IsLoopback()
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || name == "" {
		return true
	}
	for _, h := range a.hosts {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	return false
}
