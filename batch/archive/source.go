package archive

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/store"
)

// Source is the log as an archiver reads it; *queue.Client implements it. Records are
// valid only during the call of fn.
type Source interface {
	// ReadAll calls fn with the records of a partition of topic pageviews in
	// [from, to). When it returns nil, there are no others. *queue.ErrLogStart and
	// *queue.ErrLogEnd report that the log does not have them. *queue.ErrLogHole reports
	// that it has lost some in between, and that fn was called with all below those.
	ReadAll(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error
	// EdgeLog describes topic equivs; ReadEdges reads it.
	EdgeLog(ctx context.Context) (queue.EdgeLog, error)
	ReadEdges(ctx context.Context, from, to int64, fn func(*kgo.Record) error) error
}

// Commits tells how far the log is settled; store.Store implements it. Records that
// are not committed may yet become part of the next log epoch, so they are not
// archived.
type Commits interface {
	Epochs(ctx context.Context) ([]store.Epoch, error)
	Commit(ctx context.Context, s store.Shard) (c store.Commit, found bool, err error)
}

// part is what is to be archived of one shard.
type part struct {
	shard      store.Shard
	topicID    string
	partitions int32
	start      int64  // where the epoch begins
	end        int64  // where the log is settled
	readable   int64  // how far the log still has records, as far as the epochs tell
	lost       string // why readable is below end
}

// parts returns the shards of all epochs. A completed epoch ends where the next one
// begins. If its commits are above that, the log lost its end, and the offsets
// from there on are other records, of the next epoch.
func parts(ctx context.Context, c Commits) ([]part, error) {
	epochs, err := c.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	var all []part
	for i, e := range epochs {
		for p := range e.Partitions {
			x := part{shard: store.Shard{Epoch: e.Number, Partition: p}, topicID: e.TopicID, partitions: e.Partitions, start: e.Starts[p], end: e.Starts[p]}
			commit, found, err := c.Commit(ctx, x.shard)
			if err != nil {
				return nil, err
			}
			if found {
				x.end = max(x.end, commit.Offset)
			}
			x.readable = x.end
			for _, next := range epochs[i+1:] {
				x.limit(&next, p)
				if !next.Closing() {
					break
				}
			}
			all = append(all, x)
		}
	}
	return all, nil
}

// limit bounds what the log still has of an epoch. The bound comes from the next
// epoch, and from the row that closes it, which only records where the log was
// truncated.
func (x *part) limit(next *store.Epoch, partition int32) {
	switch {
	case next.Closing() && (int(partition) >= len(next.Starts) || next.Starts[partition] < 0):
	case next.Closing() && next.Starts[partition] < x.readable:
		x.readable, x.lost = next.Starts[partition], "the log lost its end"
	case next.Closing():
	case next.TopicID != x.topicID || partition >= next.Partitions:
		x.readable, x.lost = x.start, "the topic was recreated"
	case next.Starts[partition] < x.readable:
		x.readable, x.lost = next.Starts[partition], "the log lost its end"
	}
}
