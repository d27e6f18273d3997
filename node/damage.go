package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch/archive"
	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/store"
)

// What follows from damage to the embedded log depends on where it lies. The
// records of a range that is lost
//
//   - below the snapshot of operator state are counted, and not needed again;
//   - above the commit were never counted: the log is one without them, and
//     processors go over the range as over the end of a transaction;
//   - between them are counted, but a processor that runs the log again from the snapshot
//     does not come to the state that counted them. So the log epoch ends: what
//     was counted stays as it is, and what follows is counted in shards of its own.
//
// The archive records in any case which records it does not have.

// knownDamage is why the newest log epoch cannot go on, since damage was found;
// nil if it can.
func (n *Node) knownDamage(ctx context.Context) (*catalog.KnownEnd, error) {
	if n.broker == nil {
		return nil, nil
	}
	epochs, err := n.store.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	epoch, ok := newestOpen(epochs)
	if !ok {
		return nil, nil
	}
	for _, d := range n.broker.Damage() {
		if d.Settled || d.Topic != queue.TopicPageviews || d.Partition >= epoch.Partitions {
			continue
		}
		commit, snapshot, err := catalog.Position(ctx, n.store, epoch, d.Partition)
		if err != nil {
			return nil, err
		}
		if d.From < commit && d.To > snapshot {
			shard := store.Shard{Epoch: epoch.Number, Partition: d.Partition}
			return &catalog.KnownEnd{Epoch: epoch.Number, Reason: fmt.Sprintf(
				"a file of the log was damaged: offsets %d to %d of %v are lost, above the snapshot at %d and below the commit at %d", d.From, d.To-1, shard, snapshot, commit)}, nil
		}
	}
	return nil, nil
}

// repair has the broker repair a log that a processor could not read, and
// returns why the log epoch cannot go on, if it cannot. If no damage is found, for
// what failed was something else, it waits: the longer, the more often that was.
func (n *Node) repair(ctx context.Context, why *queue.ErrUnreadable, vain *int) (*catalog.KnownEnd, error) {
	n.opts.Logger.Error("the log cannot be read: the broker stops, repairs it and starts again", "err", why)
	before := len(n.broker.Damage())
	if err := n.broker.Repair(); err != nil {
		return nil, err
	}
	if len(n.broker.Damage()) > before {
		*vain = 0
		known, err := n.knownDamage(ctx)
		if known != nil || err != nil {
			return known, err
		}
		return nil, n.broker.Settle() // before anything is counted above it
	}
	pause := min(time.Second<<min(*vain, 5), 30*time.Second)
	*vain++
	n.opts.Logger.Warn("no damage was found in the log, trying again", "in", pause)
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
	return nil, nil
}

// unreadable is the error of a log that cannot be read, if that is one that the
// node can repair.
func (n *Node) unreadable(err error) (why *queue.ErrUnreadable, ok bool) {
	return why, n.broker != nil && errors.As(err, &why)
}

// source is the log for the archive, which must know what was lost.
func (n *Node) source() archive.Source {
	if n.broker == nil {
		return n.queue
	}
	return &damagedLog{n.queue, n.broker}
}

// damagedLog is a log that reports the ranges that it has lost.
type damagedLog struct {
	*queue.Client
	broker *embedded.Broker
}

// ReadAll implements archive.Source.
func (l *damagedLog) ReadAll(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	hole := l.firstHole(partition, from, to)
	if hole == nil {
		return l.Client.ReadAll(ctx, partition, from, to, fn)
	}
	if from < hole.From {
		if err := l.Client.ReadAll(ctx, partition, from, hole.From, fn); err != nil {
			return err
		}
	}
	hole.From = max(from, hole.From)
	return hole
}

func (l *damagedLog) firstHole(partition int32, from, to int64) (first *queue.ErrLogHole) {
	for _, d := range l.broker.Damage() {
		if d.Topic == queue.TopicPageviews && d.Partition == partition && d.From < to && from < d.To && (first == nil || d.From < first.From) {
			first = &queue.ErrLogHole{Partition: partition, From: d.From, To: d.To, Reason: "a file of the log was damaged"}
		}
	}
	return first
}
