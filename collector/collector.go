package collector

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"speedlayer/collector/bots"
	"speedlayer/collector/imports"
	"speedlayer/collector/tracker"
	"speedlayer/internal/problem"
	"speedlayer/queue"
)

// Appender is the queue, as *queue.Client: done is called once, when the record
// is durable or will never be said to be. person and value are its own until
// then.
type Appender interface {
	Append(ctx context.Context, person, value []byte, done func(queue.Position, error))
}

// Limits bound what requests take. Zero means the default.
type Limits struct {
	BodyBytes     int           // of one body, unpacked; 8 MiB
	EventBytes    int           // of one event as received; 64 KiB
	BatchEvents   int           // of one body; 10,000
	InFlightBytes int64         // of all bodies that are not answered yet; 64 MiB
	WaitApplied   time.Duration // for which ?wait=applied waits; 30 s
}

func (l *Limits) setDefaults() {
	if l.BodyBytes == 0 {
		l.BodyBytes = 8 << 20
	}
	if l.EventBytes == 0 {
		l.EventBytes = 64 << 10
	}
	if l.BatchEvents == 0 {
		l.BatchEvents = 10_000
	}
	if l.InFlightBytes == 0 {
		l.InFlightBytes = 64 << 20
	}
	if l.WaitApplied == 0 {
		l.WaitApplied = 30 * time.Second
	}
}

// Config is what a collector needs; only Queue has no default.
type Config struct {
	Queue Appender
	// Wait returns when the records at these positions are queryable. Without
	// it, ?wait=applied is answered with 501.
	Wait func(context.Context, []queue.Position) error
	// Imports takes what is imported from files; without it there is no path for them.
	Imports        *imports.Ledger
	Now            func() time.Time // time.Now
	Limits         Limits
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	DropBots       bool           // events whose user agent is a bot's do not count
	Bots           *bots.List     // bots.Default
	Registerer     prometheus.Registerer
	Logger         *slog.Logger
}

// Collector serves the calls of this package. Safe for concurrent use.
type Collector struct {
	cfg     Config
	limits  Limits
	gate    gate
	metrics *metrics
	bots    bots.Matcher
	warned  atomic.Bool // of a proxy that is not trusted
	batches sync.Pool   // *batch
}

// New makes a collector. It starts no goroutine.
func New(cfg Config) *Collector {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Limits.setDefaults()
	c := &Collector{cfg: cfg, limits: cfg.Limits}
	c.gate.limit = cfg.Limits.InFlightBytes
	c.metrics = newMetrics(cfg.Registerer, &c.gate)
	c.bots.List = cfg.Bots
	c.batches.New = func() any { return newBatch(c) }
	return c
}

// Handlers are the paths and methods that the collector serves. A path that
// ends in a slash is a subtree, as for http.ServeMux.
func (c *Collector) Handlers() map[string]problem.Methods {
	all := map[string]problem.Methods{
		"/api/v1/applied":   {http.MethodGet: c.serveApplied},
		"/api/v1/pageviews": {http.MethodPost: c.servePageviews, http.MethodOptions: preflight},
		"/api/event":        {http.MethodPost: c.serveEvent, http.MethodOptions: preflight},
		"/js/script.js":     {http.MethodGet: tracker.ServeScript},
		"/demo/":            {http.MethodGet: tracker.ServeDemo},
	}
	if c.cfg.Imports != nil {
		all["/api/v1/imports/{id}"] = problem.Methods{http.MethodGet: c.serveImport, http.MethodPost: c.serveImportBatch}
	}
	return all
}

// BotsDropped is how many events were dropped since the start, by the kind of
// bot.
func (c *Collector) BotsDropped() map[string]int64 { return c.metrics.botsDropped() }

// Close stops taking pageviews (503 with Retry-After from now on) and waits
// until those in flight are answered, or ctx ends. The queue must stay open
// until then.
func (c *Collector) Close(ctx context.Context) error { return c.gate.close(ctx) }
