package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"speedlayer/batch/archive"
	"speedlayer/queue"
	"speedlayer/store"
)

// logKeeper enforces the user's bound on the log's size. It never drops what a
// snapshot of operator state still needs, nor, where there is an archive, what
// that does not have; without a bound it drops nothing.
type logKeeper struct {
	n  *Node
	mu struct {
		sync.Mutex
		snapshots []int64 // offset of each partition's named snapshot
	}
}

func newLogKeeper(n *Node) *logKeeper { return &logKeeper{n: n} }

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

// needed is from where on each partition must be kept.
func (k *logKeeper) needed(ctx context.Context) ([]int64, error) {
	k.mu.Lock()
	needed := append([]int64(nil), k.mu.snapshots...)
	k.mu.Unlock()
	if !k.n.followsArchive() {
		return needed, nil
	}
	m, err := k.n.batch.layer.Archived(ctx)
	if err != nil {
		return nil, fmt.Errorf("what the archive has: %w", err)
	}
	epoch := k.n.epochNow()
	for part := range needed {
		needed[part] = min(needed[part], archivedTo(m, epoch, int32(part)))
	}
	return needed, nil
}

// archivedTo is how far the archive has a partition of an epoch. An archiver begins
// an epoch when it has all of those before.
func archivedTo(m *archive.Manifest, e store.Epoch, partition int32) int64 {
	for i := range m.Shards {
		l := &m.Shards[i]
		if l.Epoch == e.Number && l.Partition == partition {
			return l.End
		}
	}
	return 0
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

// drop lets the broker delete what is over the bound and reports it.
func (k *logKeeper) drop(ctx context.Context) error {
	info, err := k.n.queue.Info(ctx)
	if err != nil {
		return err
	}
	sizes, err := k.n.queue.Sizes(ctx, info.Partitions)
	if err != nil {
		return err
	}
	needed, err := k.needed(ctx)
	if err != nil {
		return err
	}
	if len(needed) != len(sizes) {
		return nil // a new log epoch is about to begin
	}
	for _, d := range queue.Retain(k.n.opts.MaxLogBytes, sizes, info.Starts, info.Ends, needed) {
		if err := k.n.queue.DeleteBefore(ctx, d.Partition, d.Below); err != nil {
			return err
		}
		k.say(d)
	}
	return nil
}

func (k *logKeeper) say(d queue.Drop) {
	log, text := k.n.opts.Logger.Warn, "log is over its bound: records dropped, which no archive has"
	if k.n.followsArchive() {
		log, text = k.n.opts.Logger.Info, "log is over its bound: records dropped, which the archive has"
	}
	log(text, "partition", d.Partition, "from", d.From, "below", d.Below, "bytes", d.Bytes, "bound", k.n.opts.MaxLogBytes)
}
