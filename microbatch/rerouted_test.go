package microbatch

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/record"
)

// sent keeps what leaves a partition.
type sent struct{ out []Outgoing }

func (s *sent) Send(_ context.Context, out []Outgoing) error {
	s.out = append(s.out, out...)
	return nil
}

// A record was rerouted, then partitions were added before it counted: a log epoch
// began in which it lies wrong once more. It is rerouted once more, not refused; within one
// epoch nothing is rerouted twice.
func TestReroutedOnInTheNextEpoch(t *testing.T) {
	const partitions = 4
	person := []byte("p")
	for i := 0; record.PartitionOf(person, partitions) == 1; i++ {
		person = fmt.Append(nil, i)
	}
	p := processor(t, openStore(t))
	sink := &sent{}
	p.cfg.Sink = sink
	p.cfg.Shard.Epoch, p.cfg.Shard.Partition = 1, 1
	p.classifier.Here, p.classifier.Partitions = record.Source{Epoch: 1, Partition: 1}, partitions
	value := event.AppendJSON(nil, &event.Pageview{Nonce: []byte("n"), HasNonce: true, Person: person,
		URL: []byte("http://foo.com/a"), TS: 1_700_000_000_000})
	lies := func(offset int64, from record.Source) *kgo.Record {
		return &kgo.Record{Offset: offset, Key: person, Value: value, Timestamp: time.UnixMilli(1_700_000_000_000),
			Headers: []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: []byte(from.String())}}}
	}
	recs := []*kgo.Record{lies(5, record.Source{Epoch: 0, Partition: 0, Offset: 3}), lies(6, record.Source{Epoch: 1, Partition: 0, Offset: 4})}
	if err := p.Process(context.Background(), recs); err != nil {
		t.Fatal(err)
	}
	if len(sink.out) != 2 || sink.out[0].Dead || sink.out[0].Target != record.PartitionOf(person, partitions) ||
		sink.out[0].Source != (record.Source{Epoch: 1, Partition: 1, Offset: 5}) || !sink.out[1].Dead {
		t.Errorf("sent %+v", sink.out)
	}
}
