package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"speedlayer/catalog"
	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/spark/worker"
	"speedlayer/store"
	"speedlayer/view"
)

// plannedIdle is how long a partition that gets no ranges keeps its state in memory:
// another executor has it, or it has no visitors.
const plannedIdle = 10 * time.Minute

// plannedPartition is a partition with its state in memory. Who holds the token owns
// it: of two copies of a task in one process, the second waits.
type plannedPartition struct {
	token chan struct{}
	owner *microbatch.Partition
	alive atomic.Pointer[func()] // of the range at work
	used  time.Time              // guarded by Planned.mu
}

// sign tells the callers that wait for the range that it makes progress.
func (p *plannedPartition) sign() {
	if f := p.alive.Load(); f != nil {
		(*f)()
	}
}

// signing is an operator that tells that it is given events.
type signing struct {
	microbatch.Operator
	sign func()
}

// Run implements microbatch.Operator.
func (s *signing) Run(logTimes []int64, load func() error) error {
	s.sign()
	return s.Operator.Run(logTimes, load)
}

// Run implements worker.Engine.
func (p *Planned) Run(ctx context.Context, r worker.Range, alive func()) (*worker.Counts, error) {
	n, _, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	e, err := p.epochOf(ctx, n, r.Epoch)
	if err != nil {
		return nil, err
	}
	part, err := p.own(ctx, n, e, r.Partition)
	if err != nil {
		return nil, err
	}
	defer func() { part.token <- struct{}{} }()
	part.alive.Store(&alive)
	defer part.alive.Store(nil)
	defer p.dropIdle(e.Number)
	before, err := part.counts(ctx, n, r)
	if err != nil {
		return nil, err
	}
	if err := part.owner.Run(ctx, microbatch.Range{Epoch: r.Epoch, From: r.From, Until: r.Until}); err != nil {
		return nil, p.ended(ctx, n, r, err)
	}
	after := part.owner.Counts()
	if part.owner.Next() < r.Until { // another owner has done it
		after = before
	}
	return &worker.Counts{Records: gained(after.Records, before.Records), Events: gained(after.Events, before.Events),
		Duplicates: gained(after.Duplicates, before.Duplicates), Rejected: gained(after.Rejected, before.Rejected),
		Rerouted: gained(after.ReroutedOut, before.ReroutedOut)}, nil
}

func gained(after, before int64) int64 { return max(0, after-before) }

// counts is the commit record before a range: the one in memory, if the range begins
// there, or the store's.
func (p *plannedPartition) counts(ctx context.Context, n *Node, r worker.Range) (store.CommitRecord, error) {
	if p.owner.Next() == r.From {
		return p.owner.Counts(), nil
	}
	c, found, err := n.store.Commit(ctx, store.Shard{Epoch: r.Epoch, Partition: r.Partition})
	if err != nil || !found {
		return store.CommitRecord{}, err
	}
	return store.DecodeCommitRecord(c.Record)
}

// epochOf is the log epoch of a range, which must be the newest one.
func (p *Planned) epochOf(ctx context.Context, n *Node, number uint32) (e store.Epoch, err error) {
	p.mu.Lock()
	known := p.mu.epochs
	p.mu.Unlock()
	if len(known) == 0 || known[len(known)-1].Number != number {
		if err := p.look(ctx, n); err != nil {
			return e, err
		}
		p.mu.Lock()
		known = p.mu.epochs
		p.mu.Unlock()
	}
	switch {
	case len(known) == 0 || int(number) >= len(known):
		return e, &worker.FatalError{Err: fmt.Errorf("the range is of log epoch %d, and the store has %d of them: driver and executors must be given the same --store", number, len(known))}
	case int(number) < len(known)-1:
		return e, &worker.EndedError{Newest: known[len(known)-1].Number}
	}
	return known[number], nil
}

// own returns a partition of which the caller holds the token.
func (p *Planned) own(ctx context.Context, n *Node, e store.Epoch, number int32) (*plannedPartition, error) {
	for {
		part, err := p.partition(n, e, number)
		if err != nil {
			return nil, &worker.FatalError{Err: err}
		}
		select {
		case <-part.token:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		p.mu.Lock()
		kept := p.mu.parts[store.Shard{Epoch: e.Number, Partition: number}] == part
		p.mu.Unlock()
		if kept {
			return part, nil
		}
		part.token <- struct{}{} // it was dropped meanwhile: for others who wait
	}
}

// partition is that of a range, with the state that it has in memory, if any.
func (p *Planned) partition(n *Node, e store.Epoch, number int32) (*plannedPartition, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	shard := store.Shard{Epoch: e.Number, Partition: number}
	if part := p.mu.parts[shard]; part != nil {
		part.used = p.now()
		return part, nil
	}
	fence := p.mu.fences[e.Number]
	if fence == nil {
		fence = catalog.NewFence(n.store, e.Number)
		p.mu.fences[e.Number] = fence
	}
	part := &plannedPartition{token: make(chan struct{}, 1), used: p.now()}
	owner, err := microbatch.NewPartition(microbatch.PartitionConfig{
		Store: n.store, Queue: n.queue, Epoch: e, Partition: number, Topic: queue.TopicPageviews, Fence: fence, Trust: n.trust.Load(),
		Operator: func() microbatch.Operator {
			return &signing{view.NewPageviews(view.Limits{Deltas: store.Deltas(n.store), Additions: store.Additions(n.store)}), part.sign}
		},
		SnapshotEvery: p.cfg.SnapshotEvery,
		Snapshotted: func(offset int64, err error) {
			if err != nil {
				p.cfg.Logger.Warn("no snapshot: a takeover takes longer", "shard", shard, "offset", offset, "err", err)
			}
		},
		Rejected: func(offset int64, reason error) {
			p.cfg.Logger.Debug("a record is rejected", "shard", shard, "offset", offset, "reason", reason)
		},
		Retry: func(ctx context.Context, attempt int, err error) error { return p.retry(ctx, part, attempt, err) },
	})
	if err != nil {
		return nil, err
	}
	part.owner = owner
	part.token <- struct{}{}
	p.mu.parts[shard] = part
	return part, nil
}

// retryAtMost is how often the same bytes are offered to a store that refuses them,
// about a minute, before the range is given back: its state is loaded again then.
const retryAtMost = 60

// retry waits between attempts, as a processor of our own does.
func (p *Planned) retry(ctx context.Context, part *plannedPartition, attempt int, err error) error {
	if errors.Is(err, store.ErrClosed) || errors.Is(err, catalog.ErrEpochEnded) || attempt >= retryAtMost {
		return err
	}
	if attempt == 5 {
		p.cfg.Logger.Warn("a server refuses what a range needs: it is asked again", "err", err)
	}
	part.sign()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(min(time.Second, time.Millisecond<<min(attempt, 10))):
		return nil
	}
}

// ended looks at an error of a range. If the log epoch has ended, it sees to it that
// the next one begins, and returns an EndedError.
func (p *Planned) ended(ctx context.Context, n *Node, r worker.Range, err error) error {
	if errors.Is(err, microbatch.ErrRange) {
		return &worker.FatalError{Err: err}
	}
	if !errors.Is(err, microbatch.ErrGap) && !errors.Is(err, catalog.ErrEpochEnded) {
		return p.classify(err)
	}
	e, err2 := p.settle(ctx, n, catalog.EndKnownFrom(r.Epoch, err))
	if err2 != nil {
		return errors.Join(err, err2)
	}
	if e.Number > r.Epoch {
		return &worker.EndedError{Newest: e.Number}
	}
	return err // the topic does not show it yet
}

// dropIdle closes partitions that nobody works on: those of log epochs before the
// newest one, and those without ranges for a while.
func (p *Planned) dropIdle(newest uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for shard, part := range p.mu.parts {
		if shard.Epoch >= newest && p.now().Sub(part.used) < plannedIdle {
			continue
		}
		select {
		case <-part.token:
			part.owner.Close()
			delete(p.mu.parts, shard)
			part.token <- struct{}{}
		default:
		}
	}
}
