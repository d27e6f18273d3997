package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"speedlayer/queue"
)

// Sink takes pageviews: Local, or a Server. Send returns when all are durable,
// and keeps the order of a person's messages. An error that wraps ErrTooLarge
// asks for less at once, a *Later for another try; any other ends the import.
type Sink interface {
	Send(ctx context.Context, messages []queue.Message) (Taken, error)
}

// Taken is what a sink did with messages.
type Taken struct {
	Positions []queue.Position // nil if they are not known
	Rejected  []Rejected       // those that it will never take
	Behind    bool             // a server stopped waiting until they were queryable
}

// Rejected is one message that was not taken.
type Rejected struct {
	Index  int // in what was sent
	Reason string
}

// ErrTooLarge: the messages are more than the sink takes at once.
var ErrTooLarge = errors.New("too large")

// Later is an error that passes: the same messages may be sent again.
type Later struct {
	After time.Duration // the least time to wait; 0 if nothing was asked for
	Err   error
}

func (l *Later) Error() string { return l.Err.Error() }
func (l *Later) Unwrap() error { return l.Err }

// Local is a sink that appends to the queue.
type Local struct{ Queue *queue.Client }

// Send implements Sink.
func (l Local) Send(ctx context.Context, messages []queue.Message) (Taken, error) {
	at, err := l.Queue.AppendSync(ctx, messages)
	if errors.Is(err, queue.ErrOverloaded) || errors.Is(err, queue.ErrUnavailable) {
		err = &Later{Err: err}
	}
	return Taken{Positions: at}, err
}

// patience is how long one batch is tried by default.
const patience = 2 * time.Minute

// Pauses between two tries of a batch.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 5 * time.Second
)

// retry sends until the sink has taken the messages, or they were tried for as
// long as the configuration allows.
func (im *importer) retry(ctx context.Context, messages []queue.Message) (Taken, error) {
	begin := im.cfg.clock()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		taken, err := im.cfg.Sink.Send(ctx, messages)
		var later *Later
		if err == nil || !errors.As(err, &later) {
			return taken, err
		}
		wait := max(pause, later.After)
		if im.cfg.clock().Add(wait).Sub(begin) > im.cfg.Patience {
			return taken, fmt.Errorf("gave up after %v of tries: %w", im.cfg.Patience, err)
		}
		if err := im.cfg.pause(ctx, wait); err != nil {
			return taken, err
		}
	}
}

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
