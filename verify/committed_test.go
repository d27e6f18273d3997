package verify_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/record"
)

// Records of transactions, and records without a time: what an aborted one wrote
// does not count, offsets without records change no version, the commits reach the
// end of the log, and a record that is sent on keeps the time at which it came.
func TestTransactionsAndTimes(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	p, err := kgo.NewClient(kgo.SeedBrokers(s.node.Brokers()...), kgo.TransactionalID("shop"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	s.must(err)
	defer p.Close()
	want := int64(0)
	for round := range 6 {
		how := kgo.TransactionEndTry(round%2 == 0)
		s.must(p.BeginTransaction())
		for i := range 10 {
			person := fmt.Appendf(nil, "p%d", i)
			part := record.PartitionOf(person, partitions)
			if i%3 == 0 {
				part = 1 - part // sent on to the right one
			}
			s.must(p.ProduceSync(t.Context(), &kgo.Record{Topic: queue.TopicPageviews, Key: person, Partition: part,
				Value: fmt.Appendf(nil, `{"person":%q,"url":"http://a.org/%d"}`, person, round)}).FirstErr())
			if how == kgo.TryCommit {
				want++
			}
		}
		s.must(p.EndTransaction(t.Context(), how))
		s.post(uint64(round), 200)
	}
	s.catchUp()
	s.stop()
	r := s.verify()
	s.mustHold(r)
	if r.Behind != 0 || r.Rejected != 6*20 {
		t.Errorf("%d offsets are not committed, %d records were rejected: want 0 and %d:\n%s", r.Behind, r.Rejected, 6*20, r)
	}
	if n := r.Pageviews + r.Duplicates; n != want+6*(200+20) {
		t.Errorf("%d pageviews, want %d", n, want+6*(200+20))
	}
}
