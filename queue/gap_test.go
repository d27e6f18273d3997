package queue

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A reader moves over offsets at the end of the log whose records were compacted away:
// the client gives it nothing for them, and it would seem to lag for ever.
func TestReaderLooksPastGaps(t *testing.T) {
	const end = 10
	for name, left := range map[string]int{"nothing is left": 0, "half of a batch is left": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for the broker more than it works
			cluster, c, part := logOf(t, end)
			cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				return compacted(req.(*kmsg.FetchRequest), left, end)
			})
			r, err := c.NewReader(part, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var recs []*kgo.Record
			for r.Position() < end {
				if recs, err = r.Poll(t.Context(), recs); err != nil {
					t.Fatal(err)
				}
			}
			if len(recs) != left || r.Behind() != 0 {
				t.Errorf("%d records, and %d offsets are left to read", len(recs), r.Behind())
			}
			if _, err := c.AppendSync(t.Context(), []Message{{[]byte("ann"), []byte("after the gap")}}); err != nil {
				t.Fatal(err)
			}
			if recs, err = r.Poll(t.Context(), recs[:0]); err != nil || len(recs) != 1 || recs[0].Offset != end {
				t.Errorf("after the gap: %v %v", recs, err)
			}
		})
	}
}

// logOf is a broker with a log of n records in one partition.
func logOf(t *testing.T, n int) (*kfake.Cluster, *Client, int32) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c, err := Dial(t.Context(), Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var part int32
	for range n {
		at, err := c.AppendSync(t.Context(), []Message{{[]byte("ann"), []byte("{}")}})
		if err != nil {
			t.Fatal(err)
		}
		part = at[0].Partition
	}
	return cluster, c, part
}

// compacted answers a fetch below end from a log that is one batch up to end, of
// which only the first records are left. Other fetches are the broker's.
func compacted(req *kmsg.FetchRequest, left int, end int64) (kmsg.Response, error, bool) {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	for _, topic := range req.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			if p.FetchOffset >= end {
				return nil, nil, false
			}
			rp := kmsg.NewFetchResponseTopicPartition()
			rp.Partition, rp.HighWatermark, rp.LastStableOffset, rp.LogStartOffset = p.Partition, end, end, 0
			rp.RecordBatches = batchOf(left, int32(end-1))
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil, len(resp.Topics) > 0
}

// batchOf is a batch from offset 0 to last that has only its first n records.
func batchOf(n int, last int32) []byte {
	b := kmsg.RecordBatch{Magic: 2, LastOffsetDelta: last, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n)}
	for i := range n {
		r := kmsg.Record{OffsetDelta: int32(i), Value: []byte("{}")}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(b.Records)
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
