package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"speedlayer/event"
	"speedlayer/expire"
	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/view"
)

// prepare settles in which life of the log and in which generation to work.
func (n *node) prepare(ctx context.Context) error {
	topic, err := n.queue.Info(ctx)
	if err != nil {
		return err
	}
	settings, err := expire.Settings(ctx, n.store, n.opts.Settings)
	if err != nil {
		return err
	}
	if n.opts.Keep {
		n.opts.Settings = settings
	}
	epoch, reason, err := microbatch.EnsureEpoch(ctx, n.store, topic, settings)
	if err != nil {
		return fmt.Errorf("log epoch: %w", err)
	}
	if reason != "" && epoch.Number > 0 {
		n.opts.Logger.Warn("a new log epoch begins; what was counted before stays", "epoch", epoch.Number, "reason", reason, "starts", epoch.Starts)
	}
	g, began, err := expire.EnsureSettings(ctx, n.store, n.queue, topic.Partitions, n.opts.Settings)
	if err != nil {
		return fmt.Errorf("generation: %w", err)
	}
	if began {
		n.opts.Logger.Info("settings changed: a new generation begins behind markers in the log", "generation", g, "settings", n.opts.Settings.String())
	}
	n.epoch = epoch
	committed := append([]int64(nil), epoch.Starts...)
	for part := range epoch.Partitions {
		c, found, err := n.store.Commit(ctx, store.Shard{Epoch: epoch.Number, Partition: part})
		if err != nil {
			return err
		}
		if found {
			committed[part] = c.Offset
		}
	}
	n.progress = microbatch.NewProgress(committed)
	n.keeper = newLogKeeper(n)
	return nil
}

func (n *node) followEdges(ctx context.Context, caughtUp chan struct{}) error {
	var once sync.Once
	err := n.queue.FollowEdges(ctx, func(_ int64, e event.Edge) { n.edges.Apply(e) }, func() { once.Do(func() { close(caughtUp) }) })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// process runs the processors.
func (n *node) process(ctx context.Context) error {
	r := microbatch.NewRunner(microbatch.RunnerConfig{
		Store: n.store, Queue: n.queue, Epoch: n.epoch, Progress: n.progress, Hash: microbatch.PageviewHash(),
		Operator: func() microbatch.Operator {
			return microbatch.NewPageviews(n.opts.Settings, view.Limits{Tap: n.presence.Seen})
		},
		Logger:        n.opts.Logger,
		SnapshotEvery: n.opts.SnapshotEvery, MaxDelay: n.opts.MaxDelay,
		Observe: n.opts.Observe, Snapshotted: n.keeper.snapshotted,
	})
	err := r.Run(ctx, stopTime)
	if errors.Is(err, microbatch.ErrGap) {
		return fmt.Errorf("the log no longer fits the store: start again, and a new log epoch begins: %w", err)
	}
	return err
}

// logEnds says where the log of each shard ends now.
func (n *node) logEnds(ctx context.Context) (map[store.Shard]int64, error) {
	known, err := n.ends.Now(ctx)
	if err != nil {
		return nil, err
	}
	ends := make(map[store.Shard]int64, len(known))
	for part, end := range known {
		ends[store.Shard{Epoch: n.epoch.Number, Partition: int32(part)}] = end
	}
	return ends, nil
}

// info is what status shows besides what the store knows.
func (n *node) info(ctx context.Context) map[string]any {
	i := map[string]any{"kafka": strings.Join(n.brokers(), ","), "roles": n.opts.Roles.String(), "snapshot_every": n.opts.SnapshotEvery.String()}
	if n.opts.embedded() {
		i["data"] = n.opts.Data
	}
	if size, err := n.queue.Size(ctx); err == nil {
		i["queue_bytes"] = size
	}
	return i
}

// catchUp returns when all that the log holds now is queryable.
func (n *node) catchUp(ctx context.Context) error {
	info, err := n.queue.Info(ctx)
	if err != nil {
		return err
	}
	var last []queue.Position
	for part, end := range info.Ends {
		if end > n.epoch.Starts[part] {
			last = append(last, queue.Position{Partition: int32(part), Offset: end - 1})
		}
	}
	wait, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with wait
		select {
		case err := <-n.failed:
			n.failed <- err
			cancel(err)
		case <-wait.Done():
		}
	}()
	if err := n.progress.Wait(wait, last); err != nil {
		return errors.Join(err, context.Cause(wait))
	}
	return nil
}
