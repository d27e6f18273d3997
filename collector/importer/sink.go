package importer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"speedlayer/collector/imports"
	"speedlayer/queue"
)

// Sink takes pageviews: Local, or a Server. Send returns when all of a batch are
// durable, and keeps the order of a person's messages. An error that wraps
// ErrTooLarge asks for less at once, a *Later for another try; any other ends the
// import.
type Sink interface {
	// Known returns what is remembered of a file.
	Known(ctx context.Context, id string) (imports.Known, error)
	Send(ctx context.Context, id string, b imports.Batch) (Taken, error)
}

// Taken is what a sink did with messages.
type Taken struct {
	Positions  []queue.Position // of the last record in each partition at least
	Duplicates int              // those that were in the log
	Rejected   []Rejected       // those that it will never take
	Behind     bool             // a server stopped waiting until they were queryable
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

// Local is a sink in the same process.
type Local struct{ Ledger *imports.Ledger }

// Known implements Sink.
func (l Local) Known(ctx context.Context, id string) (imports.Known, error) {
	known, err := l.Ledger.Known(ctx, id)
	return known, later(err)
}

// Send implements Sink.
func (l Local) Send(ctx context.Context, id string, b imports.Batch) (Taken, error) {
	t, err := l.Ledger.Append(ctx, id, b)
	return Taken{Positions: t.Positions, Duplicates: t.Duplicates}, later(err)
}

// later marks the errors that pass.
func later(err error) error {
	for _, passes := range []error{queue.ErrOverloaded, queue.ErrUnavailable, imports.ErrBusy} {
		if errors.Is(err, passes) {
			return &Later{Err: err}
		}
	}
	return err
}

// maxDelay is how long one batch is tried by default.
const maxDelay = 2 * time.Minute

// Pauses between two tries of a batch.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 5 * time.Second
)

// retry calls until the sink is content, or it was tried for as long as the
// configuration allows.
func (im *importer) retry(ctx context.Context, call func() error) error {
	var begin time.Time
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := call()
		var later *Later
		if err == nil || errors.Is(err, ErrTooLarge) {
			return err
		}
		if !errors.As(err, &later) {
			im.failed = err
			return err
		}
		if begin.IsZero() {
			begin = im.cfg.clock()
		}
		wait := max(pause, later.After)
		if im.cfg.clock().Add(wait).Sub(begin) > im.cfg.MaxDelay {
			im.failed = fmt.Errorf("gave up after %v of tries: %w", im.cfg.MaxDelay, err)
			return im.failed
		}
		if stopped := im.cfg.pause(ctx, wait); stopped != nil {
			im.failed = fmt.Errorf("stopped while the sink was to take it later: %w", err)
			return im.failed
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
