package bench

import (
	"context"
	"sync"
	"time"

	"speedlayer/queue"
)

// boundedLog keeps the log of a node to a size, as serve does with --max-log-size:
// a log at 50,000 events/s that is never cut would be what a start waits for.
type boundedLog struct {
	queue *queue.Client
	bound int64
	mu    struct {
		sync.Mutex
		needed []int64 // offset of each partition's named snapshot
	}
}

// keepEvery is how often the log is cut.
const keepEvery = 5 * time.Second

func newBoundedLog(q *queue.Client, bound int64, starts []int64) *boundedLog {
	b := &boundedLog{queue: q, bound: bound}
	b.mu.needed = append([]int64(nil), starts...)
	return b
}

func (b *boundedLog) snapshotted(partition int32, offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.needed[partition] = offset
}

// keep cuts the log until ctx ends, or cutting fails.
func (b *boundedLog) keep(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := b.cut(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (b *boundedLog) cut(ctx context.Context) error {
	info, err := b.queue.Info(ctx)
	if err != nil {
		return err
	}
	sizes, err := b.queue.Sizes(ctx, info.Partitions)
	if err != nil {
		return err
	}
	b.mu.Lock()
	needed := append([]int64(nil), b.mu.needed...)
	b.mu.Unlock()
	for _, d := range queue.Retain(b.bound, sizes, info.Starts, info.Ends, needed) {
		if err := b.queue.DeleteBefore(ctx, d.Partition, d.Below); err != nil {
			return err
		}
	}
	return nil
}
