package query

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// turns bounds how many of a kind run at once, so that many slow ones cannot
// take all memory and cores from each other, and none of them ever answers.
type turns struct {
	what string
	free chan struct{} // a token for each that may begin
	wait time.Duration
}

func newTurns(what string, n int, wait time.Duration) *turns {
	t := &turns{what: what, free: make(chan struct{}, n), wait: wait}
	for range n {
		t.free <- struct{}{}
	}
	return t
}

// take waits for a turn for a while; the error after that is a 429.
func (t *turns) take(ctx context.Context) error {
	select {
	case <-t.free:
		return nil
	default:
	}
	timer := time.NewTimer(t.wait)
	defer timer.Stop()
	select {
	case <-t.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return &Error{Status: http.StatusTooManyRequests, Detail: "too many " + t.what + " at once",
			Allowed: fmt.Sprintf("%d; try again later", cap(t.free))}
	}
}

func (t *turns) give() { t.free <- struct{}{} }
