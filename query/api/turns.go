package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"speedlayer/query"
)

// turns bounds how many operations of a kind run at once. Without the bound, many
// slow ones could share all memory and cores among them so that none ever finishes.
type turns struct {
	what string
	free chan struct{} // one token for each that may begin
	wait time.Duration
}

func newTurns(what string, n int, wait time.Duration) *turns {
	t := &turns{what: what, free: make(chan struct{}, n), wait: wait}
	for range n {
		t.free <- struct{}{}
	}
	return t
}

// take waits a while for a turn. If it gets none, the error is a 429.
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
		return &query.Error{Status: http.StatusTooManyRequests, Detail: "too many " + t.what + " at once",
			Allowed: fmt.Sprintf("%d; try again later", cap(t.free))}
	}
}

func (t *turns) give() { t.free <- struct{}{} }
