package queue

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// DeleteBefore lets the broker drop the records of a partition below offset.
// The embedded broker frees the disk space of whole segment files.
func (c *Client) DeleteBefore(ctx context.Context, partition int32, offset int64) error {
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: c.cfg.Topic, Partition: partition, At: offset})
	deleted, err := c.admin.DeleteRecords(ctx, o)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("queue: dropping partition %d below %d: %w", partition, offset, err)
	}
	return nil
}

// Sizes returns the bytes of each partition of the client's topic on disk.
func (c *Client) Sizes(ctx context.Context, partitions int32) ([]int64, error) {
	var topics kadm.TopicsSet
	for part := range partitions {
		topics.Add(c.cfg.Topic, part)
	}
	dirs, err := c.admin.DescribeAllLogDirs(ctx, topics)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	sizes := make([]int64, partitions)
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == c.cfg.Topic && p.Partition < partitions {
				sizes[p.Partition] = max(sizes[p.Partition], p.Size)
			}
		})
	})
	return sizes, nil
}

// Drop is what Retain decides for one partition.
type Drop struct {
	Partition   int32
	From, Below int64 // offsets dropped: [From, Below)
	Bytes       int64 // about
}

// Retain decides what to drop so that the log takes at most bound bytes: the
// oldest share of each partition that is over its part of the bound, but never
// what a processor needs to start again (needed, by partition). Without a bound
// it drops nothing: until an archive covers the log, it is the only record of
// what happened. Records are taken to be of equal size.
func Retain(bound int64, sizes, starts, ends, needed []int64) []Drop {
	if bound <= 0 {
		return nil
	}
	var drops []Drop
	share := bound / int64(len(sizes))
	for part, size := range sizes {
		records := ends[part] - starts[part]
		if size <= share || records == 0 {
			continue
		}
		below := starts[part] + int64(float64(records)*float64(size-share)/float64(size)) + 1
		below = min(below, needed[part], ends[part])
		if below <= starts[part] {
			continue
		}
		bytes := int64(float64(below-starts[part]) / float64(records) * float64(size))
		drops = append(drops, Drop{int32(part), starts[part], below, bytes})
	}
	return drops
}
