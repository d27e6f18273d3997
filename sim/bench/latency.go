package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/sim/generate"
)

// Latency measures event -> queryable: from the moment when an event was due to
// be handed to the queue until it is both acknowledged and in the views. First
// events are offered without a bound, which gives the highest rate and the
// highest memory; then, to the same system, at half of that rate.
func Latency(ctx context.Context, o Options) (results []Result, err error) {
	logDir, err := freshDir(o, "log-latency")
	if err != nil {
		return nil, err
	}
	q, err := openQueue(ctx, o, logDir, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	dir, err := freshDir(o, "store-latency")
	if err != nil {
		return nil, err
	}
	s, err := openSystem(ctx, o, q.client, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	t := newTracker(s)
	s.observe = t.committed
	s.start(ctx)

	highest, full, err := t.unbounded(ctx, o)
	if err != nil {
		return nil, err
	}
	o.Progress("  highest rate: %.0f events/s", highest.Value)
	r := Result{Name: "latency", What: "event to queryable at half of the highest rate, p99", Unit: "ms"}
	c, n, err := t.paced(ctx, o, highest.Value/2)
	if err != nil {
		return nil, err
	}
	r.Value = ms(t.samples.at(0.99))
	r.against("events offered without a bound", ms(full.at(0.99)), "ms")
	r.detail("rate", c.rate(n), "events/s")
	t.samples.spread(&r, "")
	c.add(&r, n)
	s.written(&r, n)
	return []Result{highest, r}, nil
}

// unbounded feeds as fast as events are taken.
func (t *tracker) unbounded(ctx context.Context, o Options) (r Result, s samples, err error) {
	g, err := live(o, 1, float64(o.Events)/10, 10*time.Second)
	if err != nil {
		return r, s, err
	}
	m := startMeter()
	n, err := t.feed(ctx, g, 0)
	if err != nil {
		return r, s, err
	}
	c := m.stop()
	r = Result{Name: "highest rate", What: "events appended, acknowledged and queryable, load generator in the same process", Value: c.rate(n), Unit: "events/s"}
	c.add(&r, n)
	return r, t.take(), nil
}

func (t *tracker) paced(ctx context.Context, o Options, rate float64) (c cost, n int64, err error) {
	g, err := live(o, 2, rate, o.Time)
	if err != nil {
		return c, 0, err
	}
	m := startMeter()
	t.s.resetWritten()
	n, err = t.feed(ctx, g, rate)
	return m.stop(), n, err
}

// tracker joins what the queue acknowledged with what the processors committed.
type tracker struct {
	s  *system
	mu sync.Mutex
	// All under mu.
	parts [partitions]struct {
		waiting   []sent // acknowledged, not queryable; in order of offsets
		committed int64
		end       int64 // behind the last acknowledged
	}
	samples samples
}

type sent struct {
	offset int64
	due    time.Time
}

func newTracker(s *system) *tracker { return &tracker{s: s} }

func (t *tracker) acknowledged(m *message, at queue.Position) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.parts[at.Partition]
	p.end = max(p.end, at.Offset+1)
	switch {
	case m.due.IsZero():
	case at.Offset < p.committed:
		t.samples.add(now.Sub(m.due))
	default:
		p.waiting = append(p.waiting, sent{at.Offset, m.due})
	}
}

func (t *tracker) committed(c microbatch.CommitStats) {
	now := time.Now()
	offset := t.s.progress.Committed()[c.Partition]
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.parts[c.Partition]
	p.committed = max(p.committed, offset)
	n := 0
	for ; n < len(p.waiting) && p.waiting[n].offset < p.committed; n++ {
		t.samples.add(now.Sub(p.waiting[n].due))
	}
	p.waiting = p.waiting[:copy(p.waiting, p.waiting[n:])]
}

// feed sends a stream and returns when all of it is queryable.
func (t *tracker) feed(ctx context.Context, g *generate.Generator, rate float64) (int64, error) {
	t.take()
	a := newAppender(t.s.queue, 50_000, t.acknowledged)
	n, err := feed(ctx, a, g, rate)
	if err := errors.Join(err, a.drain(), ctx.Err()); err != nil {
		return n, err
	}
	return n, t.s.wait(ctx, t.ends())
}

func (t *tracker) ends() []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	ends := make([]int64, partitions)
	for i := range ends {
		ends[i] = t.parts[i].end
	}
	return ends
}

// take returns the samples so far and begins anew.
func (t *tracker) take() samples {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.samples
	t.samples = samples{}
	return s
}
