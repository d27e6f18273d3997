package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"speedlayer/queue"
	"speedlayer/sim/generate"
)

// stream is what all benchmarks offer: the mix, ending now.
func stream(o Options, events int64, span time.Duration) (*generate.Generator, error) {
	return generate.New(generate.Config{Events: events, Seed: o.Seed, Start: time.Now().Truncate(time.Hour).Add(-span), Span: span})
}

// appender appends pageviews with a bounded number on the way, in buffers that
// are used again.
type appender struct {
	queue *queue.Client
	free  chan *message
	done  func(m *message, at queue.Position) // may be nil; called when durable

	mu struct {
		sync.Mutex
		err error // the first
	}
}

type message struct {
	person, value []byte
	due           time.Time // when it was to be sent
}

func newAppender(q *queue.Client, onTheWay int, done func(*message, queue.Position)) *appender {
	a := &appender{queue: q, free: make(chan *message, onTheWay), done: done}
	for range onTheWay {
		a.free <- &message{}
	}
	return a
}

// append sends one event. It blocks while too many are on the way: that is the
// back-pressure.
func (a *appender) append(ctx context.Context, e *generate.Event, due time.Time) error {
	var m *message
	select {
	case m = <-a.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	m.person = append(m.person[:0], e.Person...)
	m.value = e.AppendJSON(m.value[:0])
	m.due = due
	a.queue.Append(context.WithoutCancel(ctx), m.person, m.value, func(at queue.Position, err error) {
		if err != nil {
			a.mu.Lock()
			if a.mu.err == nil {
				a.mu.err = err
			}
			a.mu.Unlock()
		} else if a.done != nil {
			a.done(m, at)
		}
		a.free <- m
	})
	return nil
}

// drain waits until nothing is on the way, and returns the first error.
func (a *appender) drain() error {
	for range cap(a.free) {
		<-a.free
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.err
}

// loadLog appends a whole stream of pageviews to the queue, as fast as it goes.
func loadLog(ctx context.Context, o Options, q *queue.Client, g *generate.Generator, events int64) error {
	a := newAppender(q, 50_000, nil)
	began, said := time.Now(), time.Now()
	var e generate.Event
	for n := int64(0); g.Next(&e); {
		if e.Kind != generate.Pageview {
			continue
		}
		if err := a.append(ctx, &e, time.Time{}); err != nil {
			return errors.Join(err, a.drain())
		}
		if n++; n&0xffff == 0 && time.Since(said) > 2*time.Second {
			said = time.Now()
			o.Progress("  appended %d of %d events, %.0f/s", n, events, float64(n)/time.Since(began).Seconds())
		}
	}
	if err := a.drain(); err != nil {
		return fmt.Errorf("appending: %w", err)
	}
	o.Progress("  appended %d events in %.1f s", events, time.Since(began).Seconds())
	return nil
}

// openLog returns a queue that holds o.Events pageviews of a span, and its ends.
func openLog(ctx context.Context, o Options, span time.Duration) (*logQueue, queue.TopicInfo, error) {
	name := fmt.Sprintf("log-%d-%d-%v", o.Events, o.Seed, span)
	dir := filepath.Join(o.Dir, name)
	full := filepath.Join(dir, "FULL") // marks that all events are in it
	_, err := os.Stat(full)
	kept := o.Keep && err == nil
	if !kept {
		if _, err := freshDir(o, name); err != nil {
			return nil, queue.TopicInfo{}, err
		}
	}
	q, err := openQueue(ctx, o, dir)
	if err != nil {
		return nil, queue.TopicInfo{}, err
	}
	if !kept {
		g, err := stream(o, o.Events, span)
		if err == nil {
			err = loadLog(ctx, o, q.client, g, o.Events)
		}
		if err == nil {
			err = os.WriteFile(full, nil, 0o644)
		}
		if err != nil {
			return nil, queue.TopicInfo{}, errors.Join(err, q.close())
		}
	}
	info, err := q.client.Info(ctx)
	if err == nil && sum(info.Ends) != o.Events {
		err = fmt.Errorf("the log has %d records, not %d: a repeated append", sum(info.Ends), o.Events)
	}
	if err != nil {
		return nil, info, errors.Join(err, q.close())
	}
	return q, info, nil
}

func sum(offsets []int64) (n int64) {
	for _, o := range offsets {
		n += o
	}
	return n
}
