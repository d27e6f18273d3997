package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/queue"
)

// recovery measures how long after kill -9 of one of two processors all is
// queryable that was acknowledged by then, and all that came meanwhile: from the
// kill until the other one has taken the partitions over, has loaded the
// snapshots and has run the log from there. It is not started again before, so
// what decides is the silence after which a member of the group is taken for
// dead (--session-timeout, 6 s).
func (c *servers) recovery(ctx context.Context) (_ []Result, err error) {
	s := c.sites[len(c.sites)-1]
	s.processes = 2
	if err := s.launch(ctx, s.processes); err != nil {
		return nil, err
	}
	l, err := c.startLoad(ctx)
	if err != nil {
		return nil, err
	}
	var times samples
	random := rand.New(rand.NewPCG(c.o.Seed, 5))
	for n := range c.o.Kills {
		took, err := s.killOne(ctx, l, random)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("kill %d: %w", n+1, err), l.stop())
		}
		times.add(took)
		c.o.Progress("  kill %d of %d: queryable after %.1f s", n+1, c.o.Kills, took.Seconds())
	}
	if err := l.stop(); err != nil {
		return nil, err
	}
	r := Result{Name: "cluster", Value: times.at(1).Seconds(), Unit: "s",
		What: fmt.Sprintf("kill -9 of one of two processors until all is queryable, max of %d", c.o.Kills)}
	r.against("silence after which a processor is taken for dead", 6, "s")
	r.detail("p50", times.at(0.5).Seconds(), "s")
	r.detail("events coming in", clusterRate, "events/s")
	r.detail("events acknowledged", float64(sum(l.acked())), "")
	return []Result{r}, s.stop(ctx)
}

// killOne kills a processor at a random moment, and waits until it is made up for.
func (s *site) killOne(ctx context.Context, l *flow, random *rand.Rand) (took time.Duration, err error) {
	if err := s.shared(ctx); err != nil {
		return 0, err
	}
	select { // anywhere between two snapshots, which are 10 s apart
	case <-time.After(time.Duration(random.Int64N(int64(10 * time.Second)))):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	victim := random.IntN(len(s.members))
	began := time.Now()
	if err := s.members[victim].Kill(); err != nil {
		return 0, err
	}
	name := s.members[victim].name
	s.members = append(s.members[:victim:victim], s.members[victim+1:]...)
	if err := s.reached(ctx, atLeast(l.acked())); err != nil {
		return 0, err
	}
	if err := s.reached(ctx, atLeast(l.acked())); err != nil { // what came while it was away
		return 0, err
	}
	took = time.Since(began)
	again, err := s.startMember(name, "processor")
	if err != nil {
		return 0, err
	}
	s.members = append(s.members, again)
	return took, again.ready(ctx)
}

// shared waits until every processor works on some partitions.
func (s *site) shared(ctx context.Context) error {
	return s.waitOwned(ctx, func(owned []float64) bool { return slices.Min(owned) > 0 })
}

// assigned waits until every partition is worked on.
func (s *site) assigned(ctx context.Context) error {
	return s.waitOwned(ctx, func(owned []float64) bool {
		all := 0.0
		for _, n := range owned {
			all += n
		}
		return all == partitions
	})
}

// waitOwned waits until enough says yes to how many partitions each processor
// works on.
func (s *site) waitOwned(ctx context.Context, enough func(owned []float64) bool) error {
	ctx, cancel := context.WithTimeout(ctx, clusterStart)
	defer cancel()
	for {
		owned := make([]float64, len(s.members))
		for i, m := range s.members {
			v, err := m.metrics(ctx)
			if err != nil {
				return err
			}
			owned[i] = v["speedlayer_partitions_owned"]
		}
		if enough(owned) {
			return nil
		}
		select {
		case <-time.After(siteLook):
		case <-ctx.Done():
			return fmt.Errorf("the processors work on %v partitions: %w", owned, ctx.Err())
		}
	}
}

// flow is a stream of events at clusterRate that knows what was acknowledged.
type flow struct {
	cancel context.CancelFunc
	work   errgroup.Group
	mu     struct {
		sync.Mutex
		ends []int64
	}
}

func (c *servers) startLoad(ctx context.Context) (*flow, error) {
	g, err := live(c.o, 6, clusterRate, time.Duration(c.o.Kills+1)*time.Minute)
	if err != nil {
		return nil, err
	}
	l := &flow{}
	l.mu.ends = make([]int64, partitions)
	run, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	a := newAppender(c.queue, 50_000, l.acknowledged)
	l.work.Go(func() error {
		_, err := feed(run, a, g, clusterRate)
		return errors.Join(err, a.drain())
	})
	return l, nil
}

func (l *flow) acknowledged(_ *message, at queue.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.ends[at.Partition] = max(l.mu.ends[at.Partition], at.Offset+1)
}

func (l *flow) acked() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int64(nil), l.mu.ends...)
}

// stop ends the load, and returns its first error.
func (l *flow) stop() error {
	l.cancel()
	return l.work.Wait()
}
