package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"speedlayer/catalog"
	"speedlayer/microbatch"
	"speedlayer/record"
	"speedlayer/store"
)

// How often a running processor compares the topic with its log epoch, and how
// long it waits before it tries again what the queue or the store refused.
const (
	epochEvery = 5 * time.Second
	epochRetry = time.Second
)

// prepare settles in which incarnation of the log and in which generation to work.
func (n *Node) prepare(ctx context.Context) error {
	settings, err := n.takeSettings(ctx)
	if err != nil {
		return err
	}
	epoch, err := n.firstEpoch(ctx, settings)
	if err != nil {
		return err
	}
	n.progress = microbatch.NewProgress(nil)
	n.keeper = newLogKeeper(n)
	return n.begin(ctx, epoch)
}

// firstEpoch is the epoch to start in. Who processes nothing takes the newest
// that is there: whether it still fits is for the processors to see.
func (n *Node) firstEpoch(ctx context.Context, settings record.Settings) (store.Epoch, error) {
	if !n.opts.Roles.has(RoleProcessor) {
		epochs, err := n.store.Epochs(ctx)
		if err != nil {
			return store.Epoch{}, err
		}
		if e, ok := newestOpen(epochs); ok {
			return e, nil
		}
	}
	known, err := n.knownDamage(ctx)
	if err != nil {
		return store.Epoch{}, err
	}
	epoch, err := n.settle(ctx, known, settings)
	if err != nil || !n.opts.Roles.has(RoleProcessor) {
		return epoch, err
	}
	return epoch, n.ensureSettings(ctx, epoch, n.opts.Settings)
}

// ensureSettings begins a generation if the settings are others than the store's.
func (n *Node) ensureSettings(ctx context.Context, epoch store.Epoch, s record.Settings) error {
	g, began, err := catalog.EnsureSettings(ctx, n.store, n.queue, epoch.Partitions, s)
	if err != nil {
		return fmt.Errorf("generation: %w", err)
	}
	if began {
		n.opts.Logger.Info("settings changed: a new generation begins after markers in the log", "generation", g, "settings", s.String())
	}
	return nil
}

// newestOpen is the newest epoch that was not only a closing.
func newestOpen(epochs []store.Epoch) (store.Epoch, bool) {
	for i := len(epochs) - 1; i >= 0; i-- {
		if !epochs[i].Closing() {
			return epochs[i], true
		}
	}
	return store.Epoch{}, false
}

// epochConfig is how this node looks at the incarnation of the log.
func (n *Node) epochConfig(known *catalog.KnownEnd, settings record.Settings) catalog.EpochConfig {
	c := catalog.EpochConfig{Store: n.store, Topic: n.queue.Info, Settings: settings, Known: known,
		Closed: func(number uint32, reason string) {
			n.opts.Logger.Warn("a log epoch is closed; the next begins when all processors have stopped",
				"epoch", number, "reason", reason, "in", catalog.EpochPause)
		}}
	if n.opts.shared() {
		c.Pause = catalog.EpochPause
	}
	return c
}

// settle finds the epoch to work in, or begins it, and reports it.
func (n *Node) settle(ctx context.Context, known *catalog.KnownEnd, settings record.Settings) (store.Epoch, error) {
	epoch, reason, err := catalog.EnsureEpochShared(ctx, n.epochConfig(known, settings))
	if err != nil {
		return epoch, fmt.Errorf("log epoch: %w", err)
	}
	if reason != "" && epoch.Number > 0 {
		n.opts.Logger.Warn("a new log epoch begins; what was counted before stays", "epoch", epoch.Number, "reason", reason, "starts", epoch.Starts)
	}
	if n.broker != nil {
		return epoch, n.broker.Settle()
	}
	return epoch, nil
}

// begin makes an epoch the one that the node knows.
func (n *Node) begin(ctx context.Context, e store.Epoch) error {
	committed, err := n.committed(ctx, e)
	if err != nil {
		return err
	}
	n.epoch.Lock()
	defer n.epoch.Unlock()
	if n.epoch.known && n.epoch.now.Number >= e.Number {
		return nil
	}
	if n.epoch.known {
		if n.epoch.now.TopicID != e.TopicID {
			n.queue.Renew()
		}
		n.queue.Refresh() // before anything more is appended to the old partitions
	}
	n.epoch.now, n.epoch.known = e, true
	n.progress.Begin(e, committed)
	n.keeper.begin(e)
	return nil
}

// committed is where each partition of an epoch stands in the store.
func (n *Node) committed(ctx context.Context, e store.Epoch) ([]int64, error) {
	committed := append([]int64(nil), e.Starts...)
	for part := range e.Partitions {
		c, found, err := n.store.Commit(ctx, store.Shard{Epoch: e.Number, Partition: part})
		if err != nil {
			return nil, err
		}
		if found {
			committed[part] = c.Offset
		}
	}
	return committed, nil
}

// epochNow is the log epoch that the node works in.
func (n *Node) epochNow() store.Epoch {
	n.epoch.Lock()
	defer n.epoch.Unlock()
	return n.epoch.now
}

// process works, epoch after epoch, until ctx ends.
func (n *Node) process(ctx context.Context) error {
	again := 0 // times in a row that an epoch ended and none followed
	vain := 0  // times in a row that a repair found nothing
	for {
		epoch := n.epochNow()
		err := n.processEpoch(ctx, epoch)
		var known *catalog.KnownEnd
		switch why, damaged := n.unreadable(err); {
		case ctx.Err() != nil || err == nil:
			return nil
		case damaged:
			if known, err = n.repair(ctx, why, &vain); err != nil {
				return err
			}
			if known == nil {
				continue
			}
			err = errors.New(known.Reason)
		case !errors.Is(err, microbatch.ErrGap) && !errors.Is(err, catalog.ErrEpochEnded):
			return err
		}
		if known == nil {
			known = catalog.EndKnownFrom(epoch.Number, err)
		}
		n.opts.Logger.Warn("processing stops: the log epoch has ended", "epoch", epoch.Number, "err", err)
		if err := n.follow(ctx, known); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if again++; n.epochNow().Number != epoch.Number {
			again = 0
		}
		if again > 10 {
			return fmt.Errorf("the log no longer fits the store, but no new log epoch follows: %w", err)
		}
	}
}

// follow settles which epoch comes after one that has ended, and goes on trying
// while the queue or the store is away.
func (n *Node) follow(ctx context.Context, known *catalog.KnownEnd) error {
	for {
		// The store's: another process may have applied others meanwhile.
		settings, err := catalog.Settings(ctx, n.store, n.opts.Settings)
		var e store.Epoch
		if err == nil {
			e, err = n.settle(ctx, known, settings)
		}
		if err == nil {
			err = n.begin(ctx, e)
		}
		if err == nil {
			err = n.ensureSettings(ctx, e, settings)
		}
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !n.opts.shared() {
			return err
		}
		n.opts.Logger.Warn("no log epoch to work in, trying again", "err", err)
		select {
		case <-time.After(epochRetry):
		case <-ctx.Done():
		}
	}
}

// logEnds reports where the log of each shard ends now.
func (n *Node) logEnds(ctx context.Context) (map[store.Shard]int64, error) {
	known, err := n.ends.Now(ctx)
	return n.endsByShard(known), err
}

// logEndsAsked is logEnds as the broker answers now.
func (n *Node) logEndsAsked(ctx context.Context) (map[store.Shard]int64, error) {
	info, err := n.queue.Info(ctx)
	return n.endsByShard(info.Ends), err
}

func (n *Node) endsByShard(known []int64) map[store.Shard]int64 {
	number := n.epochNow().Number
	ends := make(map[store.Shard]int64, len(known))
	for part, end := range known {
		ends[store.Shard{Epoch: number, Partition: int32(part)}] = end
	}
	return ends
}
