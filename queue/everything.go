package queue

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Extent returns the client's topic as the broker has it: its ends are those of all
// that was written, of open and aborted transactions too.
func (c *Client) Extent(ctx context.Context) (TopicInfo, error) {
	details, err := c.admin.ListTopics(ctx, c.cfg.Topic)
	if err != nil {
		return TopicInfo{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	d, ok := details[c.cfg.Topic]
	if !ok || d.Err != nil {
		return TopicInfo{}, fmt.Errorf("%w: topic %s: %w", ErrUnavailable, c.cfg.Topic, d.Err)
	}
	n := int32(len(d.Partitions))
	info := TopicInfo{ID: hex.EncodeToString(d.ID[:]), Partitions: n, Starts: make([]int64, n), Ends: make([]int64, n)}
	starts, err := c.admin.ListStartOffsets(ctx, c.cfg.Topic)
	if err != nil {
		return TopicInfo{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := c.fill(info.Starts, starts); err != nil {
		return TopicInfo{}, err
	}
	ends, err := c.admin.ListEndOffsets(ctx, c.cfg.Topic)
	if err != nil {
		return TopicInfo{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return info, c.fill(info.Ends, ends)
}

// ReadEverything calls fn with the records of a partition in [from, to), which lie
// below the end that Extent returned, whether or not their transaction was
// committed: a caller that asks whether its record is in the log must see it
// even after somebody's open transaction. They are valid during the call.
func (c *Client) ReadEverything(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	kafka, err := kgo.NewClient(c.cfg.connect(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.cfg.Topic: {partition: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.KeepControlRecords(), // the last record of the range may be one
		kgo.MaxConcurrentFetches(1),
	)...)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	defer kafka.Close()
	for from < to {
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		fetches := kafka.PollFetches(ctx)
		cancel()
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("%w: partition %d at %d: %w", ErrUnavailable, partition, from, err)
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("%w: partition %d at %d: %w", ErrUnavailable, partition, from, e.Err)
		}
		for _, r := range fetches.Records() {
			if r.Offset >= to {
				return nil
			}
			from = r.Offset + 1
			if r.Attrs.IsControl() {
				continue
			}
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}
