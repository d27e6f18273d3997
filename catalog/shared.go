package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// EpochConfig says between what to compare, and how careful to be.
type EpochConfig struct {
	Store    store.Store
	Topic    func(ctx context.Context) (queue.TopicInfo, error) // as it is now
	Settings record.Settings                                    // of the newest generation

	// Pause is how long an epoch of the same topic has been closed before the
	// next one begins, so that other processes stop working in it (see Fence):
	// EpochPause, or 0 for a process that is alone.
	Pause time.Duration
	// Known is what a runner found that the topic does not show; may be nil.
	Known *KnownEnd
	// Closed is told when an epoch was closed and the pause begins; may be nil.
	Closed func(number uint32, reason string)
}

// KnownEnd is why a log epoch cannot go on, as its runner found: a log that lost
// its end and has grown over that again, or a snapshot that is gone.
type KnownEnd struct {
	Epoch  uint32
	Reason string
	Cut    *queue.ErrLogCut // nil: not that
}

// EndKnownFrom makes of a runner's error what EnsureEpochShared must know; nil if
// the topic itself shows it.
func EndKnownFrom(epoch uint32, err error) *KnownEnd {
	k := &KnownEnd{Epoch: epoch}
	switch {
	case errors.As(err, &k.Cut), errors.Is(err, store.ErrNoChunk):
		k.Reason = err.Error()
		return k
	}
	return nil
}

// EnsureEpochShared does what EnsureEpoch does, among processes that are at work.
// An epoch that ends although its topic goes on is closed first, by an epoch of
// no partitions, in which nobody works. When all have stopped and the commits
// stand for good, the next one begins there: so no event is counted by both.
func EnsureEpochShared(ctx context.Context, c EpochConfig) (e store.Epoch, reason string, err error) {
	for {
		epochs, err := c.Store.Epochs(ctx)
		if err != nil {
			return store.Epoch{}, "", err
		}
		if n := len(epochs); n == 0 {
			topic, err := c.Topic(ctx)
			if err != nil {
				return store.Epoch{}, "", err
			}
			e, reason = firstEpoch(topic, c.Settings), "the first"
		} else if last := epochs[n-1]; last.Closing() {
			if err := c.pause(ctx); err != nil {
				return store.Epoch{}, "", err
			}
			reason = last.Reason
			if e, err = c.next(ctx, lastOpen(epochs), last.Starts); err != nil {
				return store.Epoch{}, "", err
			}
			e.Number = last.Number + 1
		} else {
			var topic queue.TopicInfo
			if topic, reason, err = c.otherIncarnation(ctx, last); err != nil {
				return store.Epoch{}, "", err
			}
			if reason == "" && c.Known != nil && c.Known.Epoch == last.Number {
				reason = c.Known.Reason
			}
			if reason == "" {
				return last, "", nil
			}
			if c.Pause > 0 && topic.ID == last.TopicID {
				if err := c.close(ctx, last, reason); err != nil {
					return store.Epoch{}, "", err
				}
				continue
			}
			if e, err = c.next(ctx, last, c.cuts(last)); err != nil {
				return store.Epoch{}, "", err
			}
		}
		e.Reason = reason
		if err := makeGeneration(ctx, c.Store, e.Generation, e.Settings); err != nil {
			return store.Epoch{}, "", err
		}
		err = c.Store.AppendEpoch(ctx, e)
		if err == nil {
			return e, reason, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return store.Epoch{}, "", err
		}
	}
}

// lastOpen is the newest epoch in which anybody worked.
func lastOpen(epochs []store.Epoch) store.Epoch {
	for i := len(epochs) - 1; i > 0; i-- {
		if !epochs[i].Closing() {
			return epochs[i]
		}
	}
	return epochs[0]
}

// close appends the epoch of no partitions that ends another. Its starts say
// where the log was cut off, by partition of the other; -1 where it was not.
func (c *EpochConfig) close(ctx context.Context, last store.Epoch, reason string) error {
	end := store.Epoch{Number: last.Number + 1, TopicID: last.TopicID, Starts: c.cuts(last), Generation: last.Generation,
		Settings: last.Settings, Reason: reason}
	err := c.Store.AppendEpoch(ctx, end)
	if err == nil && c.Closed != nil {
		c.Closed(last.Number, reason)
	}
	if errors.Is(err, store.ErrConflict) {
		return nil // another process was first
	}
	return err
}

func (c *EpochConfig) cuts(last store.Epoch) []int64 {
	cuts := make([]int64, last.Partitions)
	for part := range cuts {
		cuts[part] = -1
	}
	if k := c.Known; k != nil && k.Epoch == last.Number && k.Cut != nil && k.Cut.Partition < last.Partitions {
		cuts[k.Cut.Partition] = k.Cut.Cut
	}
	return cuts
}

func (c *EpochConfig) pause(ctx context.Context) error {
	select {
	case <-time.After(c.Pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next is the epoch that follows one in which nobody works any more. Where the
// log was cut off it begins at the cut: what lies above is new.
func (c *EpochConfig) next(ctx context.Context, last store.Epoch, cuts []int64) (store.Epoch, error) {
	topic, err := c.Topic(ctx)
	if err != nil {
		return store.Epoch{}, err
	}
	e, err := nextEpoch(ctx, c.Store, last, topic, c.Settings)
	if err != nil || topic.ID != last.TopicID {
		return e, err
	}
	for part := range min(len(cuts), len(e.Starts)) {
		if cuts[part] >= 0 {
			e.Starts[part] = min(e.Starts[part], max(cuts[part], topic.Starts[part]))
		}
	}
	return e, nil
}

// Watch looks now and then whether the topic is still the epoch's, until ctx
// ends, and returns ErrEpochEnded when it is not. What is found is looked at once
// more, a moment later, before it is believed.
func (c *EpochConfig) Watch(ctx context.Context, e store.Epoch, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	found := ""
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		_, reason, err := c.otherIncarnation(ctx, e)
		if err != nil {
			continue // queue or store are away: that is told elsewhere, and no end
		}
		if reason != "" && found != "" {
			return fmt.Errorf("%w: %s", ErrEpochEnded, reason)
		}
		found = reason
	}
}

// otherIncarnation reports why the topic is not the epoch's, or "". Others may be at work:
// so where the log begins is asked before what is needed of it, and where it
// ends after what was committed.
func (c *EpochConfig) otherIncarnation(ctx context.Context, e store.Epoch) (queue.TopicInfo, string, error) {
	before, err := c.Topic(ctx)
	if err != nil {
		return before, "", err
	}
	commits, needed := make([]int64, e.Partitions), make([]int64, e.Partitions)
	for part := range e.Partitions {
		if commits[part], needed[part], err = Position(ctx, c.Store, e, part); err != nil {
			return before, "", err
		}
	}
	t, err := c.Topic(ctx)
	if err != nil {
		return t, "", err
	}
	if t.ID != e.TopicID {
		return t, fmt.Sprintf("the topic was recreated: its id is %s, not %s", t.ID, e.TopicID), nil
	}
	if t.Partitions != e.Partitions || before.Partitions != e.Partitions {
		return t, fmt.Sprintf("the topic has %d partitions, not %d", t.Partitions, e.Partitions), nil
	}
	for part := range e.Partitions {
		shard := store.Shard{Epoch: e.Number, Partition: part}
		if t.Ends[part] < commits[part] {
			return t, fmt.Sprintf("the log of %v ends at %d, below the commit at %d: its last writes were lost", shard, t.Ends[part], commits[part]), nil
		}
		if before.Starts[part] > needed[part] {
			return t, fmt.Sprintf("the log of %v begins at %d, above the snapshot at %d", shard, before.Starts[part], needed[part]), nil
		}
	}
	return t, "", nil
}
