package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/event"
	"speedlayer/sim/generate"
)

// Of the pageviews that latency is measured with.
const (
	probeEvery = 20 * time.Millisecond
	maxProbes  = 512 // on their way
)

// Latency measures event -> queryable, as a client of serve sees it: from the
// moment when a pageview was due to be posted until the answer to it, with
// ?wait=applied, which is that it is acknowledged and in the views. Meanwhile
// events come in through the queue's port: first without a bound, which gives the
// highest rate; then, to the same process, at half of that rate.
func Latency(ctx context.Context, o Options) (results []Result, err error) {
	f, err := feedable(ctx, o, "latency")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close(ctx)) }()
	g, err := live(o, 1, float64(o.Events)/10, 10*time.Second)
	if err != nil {
		return nil, err
	}
	full, err := f.under(ctx, g, 0)
	if err != nil {
		return nil, err
	}
	highest := Result{Name: "highest rate", What: "events appended, acknowledged and queryable by serve, load generator beside it", Value: full.rate(), Unit: "events/s"}
	full.add(&highest)
	o.Progress("  highest rate: %.0f events/s", highest.Value)
	if g, err = live(o, 2, highest.Value/2, o.Time); err != nil {
		return nil, err
	}
	half, err := f.under(ctx, g, highest.Value/2)
	if err != nil {
		return nil, err
	}
	r := Result{Name: "latency", What: "a pageview posted to serve until it is queryable, at half of the highest rate, p99", Value: ms(half.samples.at(0.99)), Unit: "ms"}
	r.against("events offered without a bound", ms(full.samples.at(0.99)), "ms")
	r.detail("rate", half.rate(), "events/s")
	half.samples.spread(&r, "")
	half.add(&r)
	return []Result{highest, r}, nil
}

// stress is a stretch of time in which events came in and probes were posted.
type stress struct {
	events    int64
	wall, cpu time.Duration // until all was queryable; of the process
	peak      float64       // MiB resident
	samples   samples
}

func (l *stress) rate() float64 { return float64(l.events) / l.wall.Seconds() }

func (l *stress) add(r *Result) {
	r.detail("cpu of serve", float64(l.cpu.Nanoseconds())/float64(l.events), "ns/event")
	r.detail("cores of serve", l.cpu.Seconds()/l.wall.Seconds(), "")
	r.detail("peak resident of serve", l.peak, "MiB")
}

// under feeds a stream, and posts probes meanwhile.
func (f *fed) under(ctx context.Context, g *generate.Generator, rate float64) (l stress, err error) {
	f.forgetPeak()
	began, cpu := time.Now(), processTime(f.PID())
	p := f.startProbes(ctx)
	a := newAppender(f.client, 50_000, nil)
	n, err := feed(ctx, a, g, rate)
	err = errors.Join(err, a.drain(), ctx.Err())
	if err == nil {
		err = f.probe(ctx)
	}
	l = stress{events: n, wall: time.Since(began), cpu: processTime(f.PID()) - cpu, peak: f.peak()}
	l.samples, err = p.stop(err)
	return l, err
}

// probes are pageviews that are posted one after the other, each when it is due.
type probes struct {
	cancel context.CancelFunc
	all    errgroup.Group
	mu     sync.Mutex
	taken  samples // under mu
}

func (f *fed) startProbes(ctx context.Context) *probes {
	p := &probes{}
	until, cancel := context.WithCancel(ctx)
	p.cancel = cancel
	p.all.SetLimit(maxProbes)
	p.all.Go(func() error { // ends with stop
		began := time.Now()
		for n := 1; ; n++ {
			due := began.Add(time.Duration(n) * probeEvery)
			select {
			case <-time.After(time.Until(due)):
			case <-until.Done():
				return nil
			}
			p.all.Go(func() error { return p.post(ctx, f.served, n, due) }) // waits for a place: then it is posted late, and was due when it was
		}
	})
	return p
}

func (p *probes) post(ctx context.Context, s *served, n int, due time.Time) error {
	person := fmt.Appendf(nil, "visitor-%d", n)
	pv := event.Pageview{Person: person, URL: []byte("http://probe.example/latency"), TS: time.Now().UnixMilli()}
	if err := s.post(ctx, event.AppendJSON(nil, &pv)); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken.add(time.Since(due))
	return nil
}

// stop posts no more and returns what was measured.
func (p *probes) stop(err error) (samples, error) {
	p.cancel()
	err = errors.Join(err, p.all.Wait())
	return p.taken, err
}
