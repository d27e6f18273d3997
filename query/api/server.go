package api

import (
	"runtime"
	"sync"
	"time"

	"speedlayer/query"
	"speedlayer/query/active"
)

// Config is what a Server needs. Engine and Now are required.
type Config struct {
	Engine *query.Engine
	Now    func() time.Time // the wall clock

	// Changed returns a channel that is closed at the next commit, for live
	// events. If it is nil, live events check once a second.
	Changed func() <-chan struct{}
	// Visitors counts current visitors. If it is nil, they are not known.
	Visitors *active.Visitors

	// QueryTime bounds a query, except exports; 0 is 30 s. Generations that leave the
	// list are dropped after the longest time of a query.
	QueryTime time.Duration
	// Queries bounds how many queries run at once; 0 is 8 for each core. Further
	// queries wait for QueryWait (0 is 5 s) and then get status 429.
	Queries   int
	QueryWait time.Duration
	// Exports bounds concurrent exports; 0 is 4.
	Exports int
	// LiveStreams bounds concurrent streams of live events; 0 is 256.
	LiveStreams int
}

// Server answers queries over HTTP. It is safe for concurrent use.
type Server struct {
	cfg              Config
	queries, exports *turns

	live struct {
		sync.Mutex
		streams int
		stopped chan struct{} // closed by StopLive
		ended   bool
	}
}

// New returns a server. It holds nothing that must be closed. StopLive ends its
// streams of live events.
func New(cfg Config) *Server {
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
	s := &Server{cfg: cfg, queries: newTurns("queries", cfg.Queries, cfg.QueryWait), exports: newTurns("exports", cfg.Exports, cfg.QueryWait)}
	s.live.stopped = make(chan struct{})
	return s
}

// StopLive ends all streams of live events and starts no more. Without it, a server
// that stops would wait for them.
func (s *Server) StopLive() {
	s.live.Lock()
	defer s.live.Unlock()
	if !s.live.ended {
		s.live.ended = true
		close(s.live.stopped)
	}
}
