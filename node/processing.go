package node

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/view"
)

// How often a node looks at what other processes have committed: at leisure, and
// while somebody waits for it.
const (
	commitsEvery  = time.Second
	commitsWanted = 100 * time.Millisecond
)

// processEpoch runs the processors of one log epoch. Where the store is shared
// with other processes, the consumer group reports which partitions are ours.
func (n *Node) processEpoch(ctx context.Context, epoch store.Epoch) error {
	cfg := microbatch.RunnerConfig{
		Store: n.store, Queue: n.queue, Epoch: epoch, Progress: n.progress, Topic: queue.TopicPageviews, Trust: n.trust.Load(),
		Operator:      n.operator,
		Logger:        n.opts.Logger,
		Repairs:       n.broker != nil,
		SnapshotEvery: n.opts.SnapshotEvery, MaxDelay: n.opts.MaxDelay,
		Observe: n.observe, Snapshotted: n.keeper.snapshotted,
	}
	if n.opts.shared() {
		cfg.Fence = catalog.NewFence(n.store, epoch.Number)
		cfg.Assignment = n.queue.NewGroup(queue.GroupConfig{Name: n.opts.Group, Member: n.opts.Member,
			SessionTimeout: n.opts.SessionTimeout, Position: n.position})
	}
	r := microbatch.NewRunner(cfg)
	n.runner.Store(r)
	look := n.epochConfig(nil, n.opts.Settings)
	g, work := errgroup.WithContext(ctx)
	g.Go(func() error { return r.Run(work, stopTime) })
	g.Go(func() error { return look.Watch(work, epoch, epochEvery) })
	return g.Wait()
}

// observe takes the counts of a commit.
func (n *Node) observe(s microbatch.CommitStats) {
	n.applied.Store(int64(s.Apply))
	n.metrics.observe(s)
	if n.opts.Observe != nil {
		n.opts.Observe(s)
	}
}

// faults is what went wrong with requests to the store, if it counts that.
func (n *Node) faults() (store.Faults, bool) {
	s, ok := n.store.(store.CountsFaults)
	if !ok {
		return store.Faults{}, false
	}
	return s.Faults(), true
}

// position is up to where a partition is committed.
func (n *Node) position(partition int32) int64 {
	committed := n.progress.Committed()
	if int(partition) >= len(committed) {
		return 0
	}
	return committed[partition]
}

// waitApplied returns when records that were appended are queryable, be they rerouted
// to other partitions first.
func (n *Node) waitApplied(ctx context.Context, records []queue.Position) error {
	return n.progress.WaitCounted(ctx, records, func(ctx context.Context) ([]int64, error) {
		info, err := n.queue.Info(ctx)
		return info.Ends, err
	})
}

// owned lists the partitions that this process works on, in no order.
func (n *Node) owned() []int32 {
	if r := n.runner.Load(); r != nil {
		return r.Owned()
	}
	return nil
}

// followCommits tells the node what other processes commit, and which log epochs
// they begin, until ctx ends. While the store is away, it is asked again.
func (n *Node) followCommits(ctx context.Context) {
	for {
		pause := commitsEvery
		if n.progress.Waiting() {
			pause = commitsWanted
		}
		// In short steps, so that a new caller that waits is noticed at once.
		for begin := time.Now(); time.Since(begin) < pause; {
			select {
			case <-time.After(commitsWanted):
			case <-ctx.Done():
				return
			}
			if n.progress.Waiting() {
				break
			}
		}
		if err := n.lookAtCommits(ctx); err != nil && ctx.Err() == nil {
			n.opts.Logger.Debug("commits of other processes are not known", "err", err)
		}
	}
}

func (n *Node) lookAtCommits(ctx context.Context) error {
	r, err := n.store.Read(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	epochs, err := r.Epochs(ctx)
	if err != nil {
		return err
	}
	if e, ok := newestOpen(epochs); ok && e.Number > n.epochNow().Number {
		if err := n.begin(ctx, e); err != nil {
			return err
		}
	}
	if p, err := r.Pointer(ctx); err == nil {
		n.noteSettings(p.Settings)
	}
	number := n.epochNow().Number
	commits, err := r.Commits(ctx)
	if err != nil {
		return err
	}
	for _, c := range commits {
		if c.Shard.Epoch == number {
			n.progress.Set(c.Shard.Partition, c.Commit.Offset)
		}
	}
	return nil
}

// followEdges learns the equiv edges.
func (n *Node) followEdges(ctx context.Context, caughtUp chan struct{}) error {
	var once sync.Once
	err := n.queue.FollowEdges(ctx, func(_ int64, e event.Edge) { n.edges.Apply(e) }, func() { once.Do(func() { close(caughtUp) }) })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// operator returns a fresh operator of web analytics. Current visitors are told of its
// live events.
func (n *Node) operator() microbatch.Operator {
	op := view.NewPageviews(view.Limits{Deltas: store.Deltas(n.store), Additions: store.Additions(n.store)})
	if n.visitors == nil {
		return op
	}
	return n.visitors.Watch(op)
}

// info is what status shows besides what the store knows.
func (n *Node) info(ctx context.Context) map[string]any {
	i := map[string]any{"kafka": strings.Join(n.Brokers(), ","), "roles": n.opts.Roles.String(), "snapshot_every": n.opts.SnapshotEvery.String()}
	if n.opts.embedded() {
		i["data"] = n.opts.Data
	}
	if n.opts.shared() {
		i["group"] = n.opts.Group
		if members, err := n.queue.Members(ctx, n.opts.Group); err == nil {
			i["members"] = members
		}
	}
	if took := n.applied.Load(); took > 0 {
		i["store_apply_ms"] = float64(took) / float64(time.Millisecond)
	}
	if f, ok := n.faults(); ok {
		i["store_retries"], i["store_failures"], i["store_renewals"] = f.Retries, f.Failures, f.Renewals
	}
	if n.broker != nil {
		if damage := n.broker.Damage(); len(damage) > 0 {
			i["log_damage"] = damage
		}
	}
	if p, err := n.store.Pointer(ctx); err == nil {
		if text := n.noteSettings(p.Settings); text != "" {
			i["settings_differ"] = text
		}
	}
	if stuck := n.stalls.stuck(time.Now()); len(stuck) > 0 {
		i["stuck"] = stuck
	}
	if held, err := n.ends.Held(ctx); err == nil && len(held) > 0 {
		i["held_back"] = held
	}
	if size, err := n.queue.Size(ctx); err == nil {
		i["queue_bytes"] = size
	}
	if c := n.collector.Load(); c != nil {
		if dropped := c.BotsDropped(); len(dropped) > 0 {
			i["bots_dropped"] = dropped // since this process started, by kind
		}
	}
	return i
}

// memberName names this process in the group.
func memberName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("speedlayer-%s-%d", host, os.Getpid())
}
