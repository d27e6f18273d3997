package topology

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/catalog"
	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// How often a stage compares its topic with its log epoch, and how long it waits
// before it tries again what the queue or the store refused.
const (
	epochEvery = 5 * time.Second
	epochRetry = time.Second
)

// prepare settles in which life of the topic and in which generation the stage works.
func (s *running) prepare(ctx context.Context) error {
	info, err := s.queue.Info(ctx)
	if err != nil {
		return err
	}
	s.job.parts = append(s.job.parts, info.Partitions)
	given := s.given()
	inStore, err := catalog.Settings(ctx, s.store, given)
	if err != nil {
		return err
	}
	given.DedupeWindow, given.DedupeEntries = inStore.DedupeWindow, inStore.DedupeEntries
	if err := s.checkChange(ctx, inStore.Operator); err != nil {
		return err
	}
	s.progress = microbatch.NewProgress(nil)
	e, err := s.settleEpoch(ctx, nil, inStore)
	if err != nil {
		return err
	}
	if inStore.Operator != given.Operator {
		if err := s.checkCaughtUp(ctx, e); err != nil {
			return err
		}
	}
	if err := s.ensureSettings(ctx, e, given); err != nil {
		return err
	}
	return s.noteSteps(ctx)
}

// given are the settings of a fresh store. Where no event has a nonce, nothing needs to
// be remembered: what comes twice is told by its source.
func (s *running) given() record.Settings {
	g := s.job.cfg.Settings
	switch {
	case s.by != nil || !s.job.t.nonces:
		g = record.Settings{DedupeWindow: 0, DedupeEntries: 1}
	case g == (record.Settings{}):
		g = record.DefaultSettings("")
	}
	g.Operator = s.settings(s.job.t)
	return g
}

func (s *running) ensureSettings(ctx context.Context, e store.Epoch, given record.Settings) error {
	g, began, err := catalog.EnsureSettings(ctx, s.store, s.queue, e.Partitions, given)
	if began {
		s.job.cfg.Logger.Info("the topology changed: a new generation begins after markers in the log", "topic", s.topic, "generation", g)
	}
	return err
}

// epochConfig is how the stage looks at the life of its topic.
func (s *running) epochConfig(known *catalog.KnownEnd, settings record.Settings) *catalog.EpochConfig {
	c := &catalog.EpochConfig{Store: s.store, Topic: s.queue.Info, Settings: settings, Known: known}
	if s.job.cfg.OpenStore != nil {
		c.Pause = catalog.EpochPause
	}
	return c
}

// settleEpoch finds the log epoch to work in, or begins it.
func (s *running) settleEpoch(ctx context.Context, known *catalog.KnownEnd, settings record.Settings) (store.Epoch, error) {
	before, err := s.store.Epochs(ctx)
	if err != nil {
		return store.Epoch{}, err
	}
	if n := len(before); n > 0 && s.by != nil {
		info, err := s.queue.Info(ctx)
		if err != nil {
			return store.Epoch{}, err
		}
		if last := before[n-1]; last.Partitions != info.Partitions || last.TopicID != info.ID {
			return store.Epoch{}, fmt.Errorf("the topic is not the one that step %s forwarded to (%d partitions, ID %s; now %d, %s): a topic of the topology's own must not be changed",
				s.by.name, last.Partitions, last.TopicID, info.Partitions, info.ID)
		}
	}
	e, reason, err := catalog.EnsureEpochShared(ctx, *s.epochConfig(known, settings))
	if err != nil {
		return e, err
	}
	if reason != "" && e.Number > 0 {
		s.job.cfg.Logger.Warn("a new log epoch begins; what was counted before stays", "topic", s.topic, "epoch", e.Number, "reason", reason)
	}
	committed := make([]int64, e.Partitions)
	for part := range e.Partitions {
		if committed[part], _, err = catalog.Position(ctx, s.store, e, part); err != nil {
			return e, err
		}
	}
	s.epoch.Lock()
	defer s.epoch.Unlock()
	if e.Number > 0 && s.epoch.now.TopicID != e.TopicID {
		s.queue.Renew()
	}
	s.epoch.now = e
	s.progress.Begin(e, committed)
	return e, nil
}

// process works, epoch after epoch, until ctx ends.
func (s *running) process(ctx context.Context) error {
	for {
		e := s.epochNow()
		err := s.processEpoch(ctx, e)
		if ctx.Err() != nil || err == nil {
			return err
		}
		if !errors.Is(err, microbatch.ErrGap) && !errors.Is(err, catalog.ErrEpochEnded) {
			return err
		}
		s.job.cfg.Logger.Warn("processing stops: the log epoch has ended", "topic", s.topic, "epoch", e.Number, "err", err)
		settings, err2 := catalog.Settings(ctx, s.store, s.given())
		if err2 != nil {
			return err2
		}
		next, err2 := s.settleEpoch(ctx, catalog.EndKnownFrom(e.Number, err), settings)
		switch {
		case err2 != nil && (s.by != nil || s.job.cfg.OpenStore == nil):
			return err2
		case err2 == nil && next.Number == e.Number:
			return fmt.Errorf("the log no longer fits the store, but no new log epoch follows: %w", err)
		case err2 != nil:
			select {
			case <-time.After(epochRetry):
			case <-ctx.Done():
			}
		}
	}
}

func (s *running) processEpoch(ctx context.Context, e store.Epoch) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cfg := microbatch.RunnerConfig{
		Store: s.store, Queue: s.queue, Epoch: e, Progress: s.progress, Topic: s.topic,
		Operator: func() microbatch.Operator {
			o := newOperator(s.job.t, s.stage, s.job.parts, Limits{})
			o.failed = func(err error) { stop(fmt.Errorf("an event cannot be applied: %w", err)) }
			return o
		},
		Logger: s.job.cfg.Logger, Repairs: true,
		SnapshotEvery: s.job.cfg.SnapshotEvery, MaxDelay: s.job.cfg.MaxDelay, MaxBatch: s.job.cfg.MaxBatch,
	}
	if s.job.cfg.OpenStore != nil {
		cfg.Fence = catalog.NewFence(s.store, e.Number)
		cfg.Assignment = s.queue.NewGroup(queue.GroupConfig{Name: s.job.cfg.Group + "-" + s.topic, Member: memberName(),
			Position: func(part int32) int64 {
				if c := s.progress.Committed(); int(part) < len(c) {
					return c[part]
				}
				return 0
			}})
	}
	look := s.epochConfig(nil, s.given())
	g, both := errgroup.WithContext(work)
	g.Go(func() error { return microbatch.NewRunner(cfg).Run(both, stopTime) })
	g.Go(func() error { return look.Watch(both, e, epochEvery) })
	if s.job.cfg.OpenStore != nil {
		g.Go(func() error { s.followCommits(both, e); return nil })
	}
	err := g.Wait()
	if ctx.Err() == nil && work.Err() != nil {
		return context.Cause(work)
	}
	return err
}

// commitsEvery is how often a job looks at what other processes have committed.
const commitsEvery = 200 * time.Millisecond

// followCommits tells the job what other processes commit.
func (s *running) followCommits(ctx context.Context, e store.Epoch) {
	for {
		for part := range e.Partitions {
			if at, _, err := catalog.Position(ctx, s.store, e, part); err == nil {
				s.progress.Set(part, at)
			}
		}
		select {
		case <-time.After(commitsEvery):
		case <-ctx.Done():
			return
		}
	}
}

// memberName names this process in a consumer group.
func memberName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("topology-%s-%d", host, os.Getpid())
}
