package queue

import (
	"context"
	"sync"
	"time"
)

// How old an answer of Ends may be: behind the first, the next caller has it
// asked for anew; behind the second, the caller waits for it.
const (
	endsFresh = 100 * time.Millisecond
	endsStale = time.Second
)

// Ends says where the log ends, as of a moment ago, without waiting for the
// broker as a rule: under load it takes as long to answer as many queries take
// together. Safe for concurrent use. Follow asks, in a goroutine of the owner's;
// while none runs, each caller asks for itself.
type Ends struct {
	client *Client
	wanted chan struct{} // someone asked since the last answer

	mu struct {
		sync.Mutex
		ends []int64 // by partition; replaced, never changed
		at   time.Time
	}
}

// NewEnds returns an Ends that knows nothing yet.
func (c *Client) NewEnds() *Ends { return &Ends{client: c, wanted: make(chan struct{}, 1)} }

// Now returns the next offset of each partition, at most a second old. The
// caller must not change it.
func (e *Ends) Now(ctx context.Context) ([]int64, error) {
	e.mu.Lock()
	ends, age := e.mu.ends, time.Since(e.mu.at)
	e.mu.Unlock()
	if ends == nil || age > endsStale {
		return e.ask(ctx)
	}
	if age > endsFresh {
		select {
		case e.wanted <- struct{}{}:
		default:
		}
	}
	return ends, nil
}

func (e *Ends) ask(ctx context.Context) ([]int64, error) {
	at := time.Now() // before: what is appended meanwhile may be missing
	info, err := e.client.Info(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if at.After(e.mu.at) {
		e.mu.ends, e.mu.at = info.Ends, at
	}
	return info.Ends, nil
}

// Follow asks whenever someone wants to know, until ctx ends. While the broker is
// away, callers of Now see the errors themselves, a second later.
func (e *Ends) Follow(ctx context.Context) {
	for {
		select {
		case <-e.wanted:
			_, _ = e.ask(ctx)
		case <-ctx.Done():
			return
		}
	}
}
