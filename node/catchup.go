package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"speedlayer/queue"
)

// standstill is how long CatchUp waits while no partition moves on.
const standstill = time.Minute

// CatchUp returns when all that is committed to the log now is queryable, records
// that are rerouted to another partition first included. It gives up when nothing
// has moved on for a time.
func (n *Node) CatchUp(ctx context.Context) error {
	info, err := n.queue.Info(ctx)
	if err != nil {
		return err
	}
	starts := n.epochNow().Starts
	var last []queue.Position
	for part, end := range info.Stable {
		if part >= len(starts) || end > starts[part] {
			last = append(last, queue.Position{Partition: int32(part), Offset: end - 1})
		}
		if held := info.Ends[part] - end; held > 0 {
			n.opts.Logger.Warn("an open transaction holds back a part of the log, which is not waited for",
				"partition", part, "from", end, "offsets", held)
		}
	}
	wait, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(n.watchStandstill(wait, last)) }() // ends with wait
	if err := n.progress.WaitCounted(wait, last, func(ctx context.Context) ([]int64, error) {
		info, err := n.queue.Info(ctx)
		return info.Stable, err
	}); err != nil {
		return errors.Join(err, context.Cause(wait))
	}
	return nil
}

// watchStandstill returns when the node has failed, or when the positions are not
// reached and nothing moves.
func (n *Node) watchStandstill(ctx context.Context, last []queue.Position) error {
	tick := time.NewTicker(standstill)
	defer tick.Stop()
	before := n.progress.Committed()
	for {
		select {
		case err := <-n.failed:
			n.failed <- err
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := n.progress.Committed()
		if slices.Equal(before, now) {
			return fmt.Errorf("nothing has become queryable for %v: %s", standstill, waitedFor(now, last))
		}
		before = now
	}
}

// waitedFor lists what is not reached.
func waitedFor(committed []int64, last []queue.Position) string {
	var texts []string
	for _, at := range last {
		if int(at.Partition) >= len(committed) {
			texts = append(texts, fmt.Sprintf("partition %d is new, and waits for a log epoch", at.Partition))
		} else if c := committed[at.Partition]; c <= at.Offset {
			texts = append(texts, fmt.Sprintf("partition %d is committed up to offset %d, and waits for %d", at.Partition, c, at.Offset+1))
		}
	}
	return cmp.Or(strings.Join(texts, "; "), "records were rerouted to other partitions, and their copies do not count yet")
}
