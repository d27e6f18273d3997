package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A log that loses its end under a reader, under a new leader, is told, although
// the reader's offset is in the log again when it looks: what lies there is new.
func TestLogCutUnderReader(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c, err := Dial(t.Context(), Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const offsetForLeaderEpoch = 23
	at, err := c.AppendSync(t.Context(), []Message{{[]byte("ann"), []byte("{}")}})
	if err != nil {
		t.Fatal(err)
	}
	part := at[0].Partition
	for range 19 {
		if _, err := c.AppendSync(t.Context(), []Message{{[]byte("ann"), []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := c.NewReader(part, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	recs, err := r.Poll(t.Context(), nil)
	for err == nil && len(recs) < 20 {
		recs, err = r.Poll(t.Context(), recs)
	}
	if err != nil {
		t.Fatal(err)
	}
	// The new leader reports that the old leader's records end at 12.
	cluster.ControlKey(offsetForLeaderEpoch, func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked := req.(*kmsg.OffsetForLeaderEpochRequest)
		resp := asked.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, topic := range asked.Topics {
			rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
			rt.Topic = topic.Topic
			for _, p := range topic.Partitions {
				rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, p.LeaderEpoch, 12
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	if err := cluster.MoveTopicPartition(TopicPageviews, part, 0); err != nil {
		t.Fatal(err)
	}
	r.kafka.ForceMetadataRefresh()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = r.Poll(ctx, nil)
	var cut *ErrLogCut
	if !errors.As(err, &cut) || cut.Partition != part || cut.Offset != 20 || cut.Cut != 12 {
		t.Fatalf("%v: want that the log was cut off at 12, below 20", err)
	}
}
