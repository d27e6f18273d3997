package node

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"speedlayer/collector"
	"speedlayer/collector/bots"
	"speedlayer/dashboard"
	"speedlayer/internal/descriptors"
	"speedlayer/internal/httpserver"
	"speedlayer/internal/problem"
	"speedlayer/query/api"
	"speedlayer/verify"
)

// AddressError is an address of the configuration at which nothing can listen.
type AddressError struct {
	Field   string // listen, kafka-listen or pprof
	Address string
	Err     error
}

func (e *AddressError) Error() string { return e.Field + " " + e.Address + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *AddressError) Unwrap() error { return e.Err }

// drainTime is how long requests under way may take when the server stops.
const drainTime = 2 * time.Second

//go:embed openapi.yaml
var openAPI []byte

// HTTPConfig defines what a node serves over HTTP, and where.
type HTTPConfig struct {
	Listen         string // HOST:PORT; port 0 is any
	Pprof          string // "" is off
	TrustedProxies []netip.Prefix
	DropBots       bool          // whose user agent Bots names
	Bots           *bots.List    // nil is bots.Default
	Hosts          []string      // names besides localhost under which a server on the loopback is reached
	IngestOnly     bool          // only pageviews are taken, and health is told
	Insecure       bool          // without tokens everybody may do everything, on any address
	Drain          time.Duration // how long /readyz says no before the server stops
}

// server is the HTTP side of a node. It owns its listeners; the goroutine of each
// is the node's.
type server struct {
	node      *Node
	collector *collector.Collector
	access    *access
	served    []string // method and path of all that it serves
	stopping  atomic.Bool
	drain     time.Duration
	api       *api.Server
	http      *http.Server
	listener  net.Listener
	pprof     *http.Server // nil when off
}

// startServer listens and serves.
func startServer(n *Node, o HTTPConfig) (*server, error) {
	pages, err := dashboard.Handlers()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, &AddressError{"listen", o.Listen, err}
	}
	access, err := newAccess(context.Background(), n.store, &o, l)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l = descriptors.Listen(httpserver.Listen(l), descriptors.Here().HTTP, "--listen", n.opts.Logger)
	s := &server{node: n, access: access, listener: l, drain: o.Drain}
	s.api = api.New(api.Config{Engine: n.engine, Now: time.Now, Changed: n.progress.Changed, Visitors: n.visitors, QueryTime: n.opts.Batch.QueryTime})
	s.collector = collector.New(collector.Config{
		Queue: n.queue, Wait: n.waitApplied, Imports: n.Imports(), Now: time.Now,
		TrustedProxies: o.TrustedProxies, DropBots: o.DropBots, Bots: o.Bots,
		Registerer: n.metrics.registry, Logger: n.opts.Logger,
	})
	s.http = httpserver.New(s.routes(n.metrics, pages), slog.NewLogLogger(n.opts.Logger.Handler(), slog.LevelDebug))
	if err := s.startPprof(o.Pprof); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	n.collector.Store(s.collector)
	n.goFail(func() error { return serve(s.http, l) }) // ends with stop
	return s, nil
}

// serve is Serve without the error of a server that was stopped.
func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("HTTP server: %w", err)
	}
	return nil
}

// sendPath is where programs send pageviews to.
const sendPath = "/api/v1/pageviews"

// routes merges what the stages serve. Two of them may share a path: one takes
// its POSTs, the other its GETs.
func (s *server) routes(m *metrics, pages map[string]http.Handler) http.Handler {
	paths := map[string]problem.Methods{}
	parts := []map[string]problem.Methods{s.operations(m), s.node.batch.handlers(), s.access.handlers()}
	if s.node.opts.Roles.has(RoleCollector) {
		parts = append(parts, s.collector.Handlers())
	}
	if s.node.opts.Roles.has(RoleQuery) {
		parts = append(parts, s.api.Handlers())
	} else {
		pages = nil
	}
	for _, part := range parts {
		for path, methods := range part {
			if paths[path] == nil {
				paths[path] = problem.Methods{}
			}
			maps.Copy(paths[path], methods)
		}
	}
	mux := http.NewServeMux()
	for path, methods := range paths {
		for method := range methods {
			s.served = append(s.served, method+" "+path)
		}
		mux.Handle(path, m.instrument(path, s.access.guard(path, methods)))
	}
	for path, h := range pages {
		s.served = append(s.served, http.MethodGet+" "+path)
		mux.Handle(path, m.instrument(path, s.access.guard(path, h)))
	}
	none := m.instrument("none", http.HandlerFunc(problem.NotFound))
	mux.Handle("/", none)
	send := s.collector.Handlers()[sendPath][http.MethodPost]
	if !s.node.opts.Roles.has(RoleCollector) {
		send = nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What clients send most goes straight to the collector, which counts its
		// requests itself.
		if r.Method == http.MethodPost && r.URL.Path == sendPath && send != nil {
			send(w, r)
			return
		}
		if r.URL.Path == "" { // of CONNECT, which the mux answers without a problem
			none.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// operations are the paths for those who run the process.
func (s *server) operations(m *metrics) map[string]problem.Methods {
	text := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(body)) // the client may be gone
	}
	return map[string]problem.Methods{
		verify.CellsPath: {http.MethodGet: verify.CellsHandler(s.node.store, strings.Join(s.node.Brokers(), ",")).ServeHTTP},
		"/metrics":       {http.MethodGet: m.handler().ServeHTTP},
		"/healthz":       {http.MethodGet: func(w http.ResponseWriter, _ *http.Request) { text(w, "ok\n") }},
		"/readyz": {http.MethodGet: func(w http.ResponseWriter, r *http.Request) {
			if err := s.ready(r.Context()); err != nil {
				problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, Detail: err.Error(), RetryAfter: 1})
				return
			}
			text(w, "ready\n")
		}},
		"/openapi.yaml": {http.MethodGet: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/yaml")
			_, _ = w.Write(openAPI) // the client may be gone
		}},
	}
}

// URL is where a person on this machine reaches the node over HTTP; "" without it.
func (n *Node) URL() string {
	if n.server == nil {
		return ""
	}
	addr := n.server.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", addr.Port)
	}
	return "http://" + addr.String()
}

// startPprof serves profiles on an address of their own, so that they are never
// on the one that is open to clients.
func (s *server) startPprof(listen string) error {
	if listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return &AddressError{"pprof", listen, err}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s.pprof = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	s.node.goFail(func() error { return serve(s.pprof, l) }) // ends with stop
	return nil
}

// stop takes no more pageviews, ends the live streams, answers what is under
// way, and closes.
func (s *server) stop() error {
	s.stopping.Store(true)
	time.Sleep(s.drain) // all is served as before: a load balancer needs a while to notice
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := s.collector.Close(ctx); err != nil {
		// Clients whose bodies are still coming in get no answer, so they do not
		// take them for durable: a stop is not a failure for them.
		s.node.opts.Logger.Warn("requests cut off", "err", err)
	}
	s.api.StopLive()
	var err error
	if shut := s.http.Shutdown(ctx); shut != nil {
		err = errors.Join(err, s.http.Close())
	}
	if s.pprof != nil {
		err = errors.Join(err, s.pprof.Close())
	}
	return err
}
