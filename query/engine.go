package query

import (
	"context"
	"errors"
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
	// Info is shown unchanged by status, under "info": settings and sizes that
	// the store does not know. It may be nil.
	Info func(ctx context.Context) map[string]any
}

// Reading is the part of a store.Store that queries use.
type Reading interface {
	Read(ctx context.Context) (store.Reader, error)
	Stats(ctx context.Context) (store.Stats, error)
}

// Engine answers queries. It is safe for concurrent use.
type Engine struct {
	cfg     Config
	ends    logEnds
	mergers sync.Pool // of *crdt.Merger, empty
	block   int       // bytes of an export in memory
	counted int       // how many domains an answer counts
}

var _ Answers = (*Engine)(nil)

// New returns an engine. It holds nothing that must be closed.
func New(cfg Config) *Engine {
	return &Engine{cfg: cfg, mergers: sync.Pool{New: func() any { return new(crdt.Merger) }}, block: exportBlock, counted: maxCounted}
}

func (e *Engine) merger() *crdt.Merger { return e.mergers.Get().(*crdt.Merger) }

func (e *Engine) putMerger(u *crdt.Merger) {
	u.Reset()
	e.mergers.Put(u)
}

// errNoAppend: the process cannot reach the queue.
var errNoAppend = errors.New("query: equiv edges cannot be changed here")
