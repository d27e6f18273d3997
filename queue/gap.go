package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The client reports neither where the committed log ends while it has no record
// to give, nor how far it has read past offsets without one. As a rule this does
// not matter: a transaction ends with a control record, which the client gives.
// But where records at the end were compacted away there is nothing to give, and
// a reader would seem to lag for ever. So after a time of silence it asks.

// How long a reader is silent before it looks past a gap: each time in vain, for
// twice as long.
const (
	leastQuiet = 250 * time.Millisecond
	mostQuiet  = 5 * time.Second
)

// gapBytes bounds the answer of a look past a gap.
const gapBytes = 64 << 10

// lookPast moves the position over offsets at which there is nothing to read, and
// reports whether it moved. What cannot be asked now is asked later.
func (r *Reader) lookPast(ctx context.Context) bool {
	r.quiet = min(2*r.quiet, mostQuiet)
	ctx, cancel := context.WithTimeout(ctx, mostQuiet)
	defer cancel()
	ends, err := kadm.NewClient(r.kafka).ListCommittedOffsets(ctx, r.topic)
	if err != nil {
		return false
	}
	end, ok := ends.Lookup(r.topic, r.partition)
	if !ok || end.Err != nil {
		return false
	}
	r.stable = max(r.stable, end.Offset)
	if r.stable <= r.next || r.Buffered() > 0 {
		return false
	}
	next, err := r.emptyTo(ctx)
	if err != nil || next <= r.next {
		return false
	}
	r.next = min(next, r.stable)
	return true
}

// emptyTo fetches from the position on, and returns how far there is nothing to
// read: the position itself if there is a record, or nothing at all was sent.
func (r *Reader) emptyTo(ctx context.Context) (int64, error) {
	leader, epoch, err := r.kafka.PartitionLeader(r.topic, r.partition)
	if err != nil {
		return r.next, err
	}
	topics, err := kadm.NewClient(r.kafka).ListTopics(ctx, r.topic)
	if err != nil {
		return r.next, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.IsolationLevel, req.MaxBytes, req.SessionEpoch = 1, gapBytes, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes, part.CurrentLeaderEpoch = r.partition, r.next, gapBytes, epoch
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = r.topic, topics[r.topic].ID, append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	answer, err := r.kafka.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return r.next, err
	}
	resp := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return r.next, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return r.next, errors.New("queue: the answer has other partitions than were asked for")
	}
	found, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{KeepControlRecords: true, Offset: r.next,
		IsolationLevel: kgo.ReadCommitted(), Topic: r.topic, Partition: r.partition},
		&resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
	if found.Err != nil || len(found.Records) > 0 {
		return r.next, found.Err
	}
	return next, nil
}

// ErrHeldBack means that an open transaction holds back a part of the log that is
// waited for.
type ErrHeldBack struct {
	Topic     string
	Partition int32
	Stable    int64 // where the committed part of the log ends
	Wanted    int64 // up to where it is waited for
}

func (e *ErrHeldBack) Error() string {
	return fmt.Sprintf("queue: topic %s, partition %d: an open transaction holds back the log from offset %d on, and %d is waited for: "+
		"its producer must end it, or its timeout does", e.Topic, e.Partition, e.Stable, e.Wanted)
}
