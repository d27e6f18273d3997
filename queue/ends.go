package queue

import (
	"context"
	"sync"
	"time"
)

// How old an answer of Ends may be: after the first, the next caller has the
// broker asked again; after the second, the caller waits for it.
const (
	endsFresh = 100 * time.Millisecond
	endsStale = time.Second
)

// Ends knows where the log ends, as of a moment ago, without waiting for the
// broker as a rule: under load it takes as long to answer as many queries take
// together. Safe for concurrent use. Follow asks, in a goroutine of the owner's;
// while none runs, each caller asks for itself.
type Ends struct {
	client *Client
	wanted chan struct{} // someone asked since the last answer

	mu struct {
		sync.Mutex
		info TopicInfo // replaced, never changed
		at   time.Time // zero: not known
	}
}

// NewEnds returns an Ends that knows nothing yet.
func (c *Client) NewEnds() *Ends { return &Ends{client: c, wanted: make(chan struct{}, 1)} }

// Now returns where the committed part of each partition ends, at most a second
// ago. The caller must not change it.
func (e *Ends) Now(ctx context.Context) ([]int64, error) {
	info, err := e.now(ctx)
	return info.Stable, err
}

// Held is what an open transaction holds back of a partition: its own records,
// and all that came after its first one.
type Held struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"`    // offset
	Offsets   int64 `json:"offsets"` // how many
}

// Held returns what is held back, at most a second ago.
func (e *Ends) Held(ctx context.Context) (held []Held, err error) {
	info, err := e.now(ctx)
	for part, stable := range info.Stable {
		if n := info.Ends[part] - stable; n > 0 {
			held = append(held, Held{int32(part), stable, n})
		}
	}
	return held, err
}

func (e *Ends) now(ctx context.Context) (TopicInfo, error) {
	e.mu.Lock()
	info, at := e.mu.info, e.mu.at
	e.mu.Unlock()
	age := time.Since(at)
	if at.IsZero() || age > endsStale {
		return e.ask(ctx)
	}
	if age > endsFresh {
		select {
		case e.wanted <- struct{}{}:
		default:
		}
	}
	return info, nil
}

func (e *Ends) ask(ctx context.Context) (TopicInfo, error) {
	at := time.Now() // before: what is appended meanwhile may be missing
	info, err := e.client.Info(ctx)
	if err != nil {
		return TopicInfo{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if at.After(e.mu.at) {
		e.mu.info, e.mu.at = info, at
	}
	return info, nil
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
