package query

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"speedlayer/crdt"
	"speedlayer/event"
	"speedlayer/store"
)

// Config is what an Engine needs. Store, Edges and Now are required.
type Config struct {
	Store Reading
	Edges *Edges
	Now   func() time.Time // the wall clock: it defines now and age

	// Batch opens the views of a batch run, which the engine closes. If it is nil, a
	// query fails when the pointer names a run.
	Batch func(ctx context.Context, run store.Run) (Views, error)
	// LogEnds returns where the log of each shard of the newest log epoch ends. It
	// is called at most ten times a second. If it is nil or fails, lag is not known.
	LogEnds func(ctx context.Context) (map[store.Shard]int64, error)
	// LogEndsAsked asks the queue itself, where LogEnds may return the state of a
	// moment ago. It is called while records are rerouted from one partition to another.
	// If it is nil, LogEnds is used.
	LogEndsAsked func(ctx context.Context) (map[store.Shard]int64, error)
	// Append makes an edge durable in the queue. The follower of the queue then passes
	// it to Edges. If it is nil, edges cannot be changed here.
	Append func(ctx context.Context, e event.Edge) error
	// Changed returns a channel that is closed at the next commit, for live
	// events. If it is nil, live events check once a second.
	Changed func() <-chan struct{}
	// Presence counts current visitors. If it is nil, they are not known.
	Presence *Presence
	// Info is shown unchanged by status, under "info": settings and sizes that
	// the store does not know. It may be nil.
	Info func(ctx context.Context) map[string]any

	// QueryTime bounds a query over HTTP, except exports; 0 is 30 s. Generations
	// that leave the list are dropped after the longest time of a query.
	QueryTime time.Duration
	// Queries bounds how many queries run at once over HTTP; 0 is 8 for each
	// core. Further queries wait for QueryWait (0 is 5 s) and are then refused.
	Queries   int
	QueryWait time.Duration
	// Exports bounds concurrent exports over HTTP; 0 is 4.
	Exports int
	// LiveStreams bounds concurrent streams of live events; 0 is 256.
	LiveStreams int
}

// Reading is the part of a store.Store that queries use.
type Reading interface {
	Read(ctx context.Context) (store.Reader, error)
	Stats(ctx context.Context) (store.Stats, error)
}

// Engine answers queries. It is safe for concurrent use.
type Engine struct {
	cfg              Config
	ends             logEnds
	mergers          sync.Pool // of *crdt.Merger, empty
	block            int       // bytes of an export in memory
	counted          int       // how many domains an answer counts
	queries, exports *turns

	live struct {
		sync.Mutex
		streams int
		stopped chan struct{} // closed by StopLive
		ended   bool
	}
}

var _ Answers = (*Engine)(nil)

// New returns an engine. It holds nothing that must be closed. StopLive ends
// its streams of live events.
func New(cfg Config) *Engine {
	if cfg.QueryTime == 0 {
		cfg.QueryTime = 30 * time.Second
	}
	if cfg.LiveStreams == 0 {
		cfg.LiveStreams = 256
	}
	if cfg.Queries == 0 {
		cfg.Queries = 8 * runtime.GOMAXPROCS(0)
	}
	if cfg.QueryWait == 0 {
		cfg.QueryWait = 5 * time.Second
	}
	if cfg.Exports == 0 {
		cfg.Exports = 4
	}
	e := &Engine{cfg: cfg, mergers: sync.Pool{New: func() any { return new(crdt.Merger) }}, block: exportBlock, counted: maxCounted,
		queries: newTurns("queries", cfg.Queries, cfg.QueryWait), exports: newTurns("exports", cfg.Exports, cfg.QueryWait)}
	e.live.stopped = make(chan struct{})
	return e
}

func (e *Engine) merger() *crdt.Merger { return e.mergers.Get().(*crdt.Merger) }

func (e *Engine) putMerger(u *crdt.Merger) {
	u.Reset()
	e.mergers.Put(u)
}

// StopLive ends all streams of live events and refuses new ones. Without it, a
// server that stops would wait for them.
func (e *Engine) StopLive() {
	e.live.Lock()
	defer e.live.Unlock()
	if !e.live.ended {
		e.live.ended = true
		close(e.live.stopped)
	}
}

// errNoAppend: the process cannot reach the queue.
var errNoAppend = errors.New("query: equiv edges cannot be changed here")
