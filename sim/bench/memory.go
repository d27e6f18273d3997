package bench

import (
	"context"
	"errors"
	"time"

	"speedlayer/sim/generate"
)

// Memory measures the peak of resident memory of serve, with HTTP, archive and
// queries on, while Options.Events events are offered to it
// as fast as it takes them: dedupe and visits remember all they may, and the
// processors fall behind. The generator offers them from another process. The
// baseline is the same process before the first event.
func Memory(ctx context.Context, o Options) (results []Result, err error) {
	v, err := newVictim(ctx, o, 10*time.Second)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.end()) }()
	idle := v.proc.peak()
	g, err := generate.New(generate.Config{Events: o.Events, Seed: o.Seed, Start: time.Now(), Span: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	a := newAppender(v.client, 50_000, v.acknowledged)
	began := time.Now()
	n, err := feed(ctx, a, g, 0)
	if err := errors.Join(err, a.drain()); err != nil {
		return nil, err
	}
	took := time.Since(began)
	r := Result{Name: "memory", What: "resident memory of serve, peak, events offered as fast as it takes them", Value: v.proc.peak(), Unit: "MiB"}
	r.against("the same process before the first event", idle, "MiB")
	r.detail("events", float64(n), "")
	r.detail("appended", float64(n)/took.Seconds(), "events/s")
	// A start waits until it is known how far the processors had come: it waits for all.
	if err := v.proc.stop(ctx); err != nil {
		return nil, err
	}
	if err := v.restart(ctx); err != nil {
		return nil, err
	}
	r.detail("after a graceful stop, caught up", v.startup.Seconds(), "s")
	r.detail("peak resident while it caught up", v.proc.peak(), "MiB")
	return []Result{r}, nil
}
