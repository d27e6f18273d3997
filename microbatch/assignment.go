package microbatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"speedlayer/catalog"

	"golang.org/x/sync/errgroup"
)

// Assignment tells a runner which partitions to work on.
//
// It divides the work and nothing else depends on it. Two runners may have the same
// partition for a while: a consumer group cannot prevent that, since a member that is
// paused for longer than its session does not know that it was replaced. Both then
// compute the same cells with the same versions, because batches are ranges of one log
// and no clock is involved (law 2), and the store keeps the higher version of a cell and
// the higher commit. So no lock and no fencing token is needed here. What a handover
// must do is be quick, and it is quick if the old owner stops first and leaves a
// snapshot at its commit, from which the new one continues without running the log
// again.
type Assignment interface {
	// Run calls assign and revoke, one at a time, with partitions that come and
	// go, until ctx ends. revoke returns when their workers have ended.
	Run(ctx context.Context, assign, revoke func(partitions []int32)) error
}

// everything is the assignment of a process that is alone: all partitions, for ever.
type everything int32

// Run implements Assignment.
func (n everything) Run(ctx context.Context, assign, _ func([]int32)) error {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	assign(all)
	<-ctx.Done()
	return nil
}

// workers are the workers of a runner: one for each partition that it has now.
//
// assign and revoke are called one at a time, so at most one worker of a partition
// runs in a process: revoke returns only when its worker has ended, and assign leaves a
// partition alone that has a worker already. That matters because a group may assign a
// partition that the member kept. Starting a second worker would be correct, as with
// two processes, but would do all its work twice.
//
// The lock guards the map for owned, which is called from other goroutines. It is not
// held while revoke waits, so that a status request does not wait for a last commit.
type workers struct {
	r    *Runner
	g    *errgroup.Group
	ctx  context.Context
	stop time.Duration

	mu struct {
		sync.Mutex
		workers map[int32]*running
	}
}

type running struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

func newWorkers(ctx context.Context, r *Runner, g *errgroup.Group, stop time.Duration) *workers {
	c := &workers{r: r, g: g, ctx: ctx, stop: stop}
	c.mu.workers = make(map[int32]*running)
	return c
}

// assign starts a worker for each partition that has none.
func (c *workers) assign(partitions []int32) {
	c.r.health.assigned(partitions)
	for _, part := range partitions {
		if part >= c.r.cfg.Epoch.Partitions {
			c.g.Go(func() error {
				return fmt.Errorf("%w: the topic has a partition %d, the log epoch has %d", catalog.ErrEpochEnded, part, c.r.cfg.Epoch.Partitions)
			})
			continue
		}
		ctx, cancel := context.WithCancel(c.ctx)
		m := &running{cancel: cancel, ended: make(chan struct{})}
		if !c.add(part, m) {
			cancel()
			continue
		}
		c.g.Go(func() error {
			defer close(m.ended)
			defer cancel()
			return c.r.partition(ctx, part, c.stop)
		})
	}
}

// add reports whether a partition had no worker, and has m now.
func (c *workers) add(part int32, m *running) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.workers[part] != nil {
		return false
	}
	c.mu.workers[part] = m
	return true
}

// revoke stops the workers of partitions and waits until each has committed what
// it had, and left a snapshot, or has run out of the time for that.
func (c *workers) revoke(partitions []int32) {
	var stopped []*running
	c.mu.Lock()
	for _, part := range partitions {
		if m := c.mu.workers[part]; m != nil {
			m.cancel()
			stopped = append(stopped, m)
			delete(c.mu.workers, part)
		}
	}
	c.mu.Unlock()
	began := time.Now()
	for _, m := range stopped {
		<-m.ended
	}
	if len(stopped) > 0 {
		c.r.cfg.Logger.Info("gave up partitions: others take them over", "partitions", partitions, "took", time.Since(began).Round(time.Millisecond))
	}
}

// owned lists the partitions that have a worker.
func (c *workers) owned() []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	parts := make([]int32, 0, len(c.mu.workers))
	for part := range c.mu.workers {
		parts = append(parts, part)
	}
	return parts
}
