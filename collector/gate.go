package collector

import (
	"context"
	"fmt"
	"sync"
)

// gate counts requests and bytes in flight, bounds the bytes, and can be
// closed.
type gate struct {
	limit int64
	mu    struct {
		sync.Mutex
		requests int
		bytes    int64
		closed   bool
		idle     chan struct{} // of close; closed when the last request leaves
	}
}

// enter lets a request in; false when the gate is closed. Each that was let in
// must leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.closed {
		return false
	}
	g.mu.requests++
	return true
}

// reserve takes n bytes; false when that is over the bound.
func (g *gate) reserve(n int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.bytes+int64(n) > g.limit {
		return false
	}
	g.mu.bytes += int64(n)
	return true
}

// leave gives back what a request has reserved.
func (g *gate) leave(reserved int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.requests--
	g.mu.bytes -= int64(reserved)
	if g.mu.requests == 0 && g.mu.idle != nil {
		close(g.mu.idle)
		g.mu.idle = nil
	}
}

func (g *gate) bytes() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.bytes
}

func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	g.mu.closed = true
	if g.mu.requests == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.mu.idle == nil {
		g.mu.idle = make(chan struct{})
	}
	idle := g.mu.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("collector: requests still in flight: %w", ctx.Err())
	}
}
