package main

import (
	"context"
	"sync"
	"time"

	"speedlayer/queue"
	"speedlayer/store"
)

// logKeeper enforces the user's bound on the log's size. Without a bound it
// drops nothing: until an archive covers the log, it is the only record.
type logKeeper struct {
	n  *node
	mu struct {
		sync.Mutex
		snapshots []int64 // offset of each partition's named snapshot
	}
}

func newLogKeeper(n *node) *logKeeper { return &logKeeper{n: n} }

// begin forgets what a log epoch before needed.
func (k *logKeeper) begin(e store.Epoch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.snapshots = append([]int64(nil), e.Starts...)
}

func (k *logKeeper) snapshotted(partition int32, offset int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if int(partition) < len(k.mu.snapshots) {
		k.mu.snapshots[partition] = offset
	}
}

func (k *logKeeper) needed() []int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]int64(nil), k.mu.snapshots...)
}

// start looks once a minute, until ctx ends.
func (k *logKeeper) start(ctx context.Context, done *sync.WaitGroup) {
	if k.n.opts.MaxLogBytes == 0 {
		return
	}
	done.Go(func() {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			if err := k.drop(ctx); err != nil && ctx.Err() == nil {
				k.n.opts.Logger.Warn("bound on the log's size not enforced", "err", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// drop lets the broker delete what is over the bound and says so.
func (k *logKeeper) drop(ctx context.Context) error {
	info, err := k.n.queue.Info(ctx)
	if err != nil {
		return err
	}
	sizes, err := k.n.queue.Sizes(ctx, info.Partitions)
	if err != nil {
		return err
	}
	needed := k.needed()
	if len(needed) != len(sizes) {
		return nil // a new log epoch is about to begin
	}
	for _, d := range queue.Retain(k.n.opts.MaxLogBytes, sizes, info.Starts, info.Ends, needed) {
		if err := k.n.queue.DeleteBefore(ctx, d.Partition, d.Below); err != nil {
			return err
		}
		k.n.opts.Logger.Warn("log is over its bound: records dropped, which no batch layer has absorbed",
			"partition", d.Partition, "from", d.From, "below", d.Below, "bytes", d.Bytes, "bound", k.n.opts.MaxLogBytes)
	}
	return nil
}
