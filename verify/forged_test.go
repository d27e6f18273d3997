package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/verify"
)

// forge appends a marker of a generation that nobody began, and an event for each
// partition that claims to come from far ahead in the other one.
func (s *system) forge() {
	s.Helper()
	own := s.node.Queue()
	for part := range int32(partitions) {
		s.must(own.AppendRaw(s.Context(), &kgo.Record{Topic: queue.TopicPageviews, Partition: part, Value: record.Marker{Generation: 4_000_000_000}.Append(nil),
			Headers: []kgo.RecordHeader{{Key: record.MarkerHeader, Value: []byte("1")}}}))
		for i := 0; ; i++ {
			person := fmt.Appendf(nil, "forger%d", i)
			if record.PartitionOf(person, partitions) != part {
				continue
			}
			s.must(own.AppendRaw(s.Context(), &kgo.Record{Topic: queue.TopicPageviews, Partition: part, Key: person,
				Value:   fmt.Appendf(nil, `{"person":%q,"url":"http://forged.org/","ts":1700000000000}`, person),
				Headers: []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: fmt.Appendf(nil, "0/%d/1000000", 1-part)}}}))
			break
		}
	}
}

// Forged records do not stop a partition, and no later event disappears: they are
// ordinary records, or rejected.
func TestForgedRecords(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	s.forge()
	s.misplace(20)
	s.post(1, 500)
	s.catchUp()
	s.stop()
	r := s.verify()
	s.mustHold(r)
	if r.Rerouted != 20 || r.Pageviews+r.Duplicates != 500+20+20+partitions || r.Rejected != 20+partitions {
		t.Errorf("%s", r)
	}
	s.startProcessors() // and after a restart
	s.post(2, 100)
	s.catchUp()
	if _, err := s.node.Batch().Run(s.Context()); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.mustHold(s.verify())
}

// Where forged records are taken for the system's, as in a log that is older than
// the key, verify finds the events that are lost by it, although its oracle has the
// same rule.
func TestLossIsFound(t *testing.T) {
	s := newSystem(t)
	old := &record.Trust{Key: make([]byte, record.KeyBytes), Ends: []int64{1 << 40, 1 << 40}, Generations: 1}
	won, err := s.node.Store().SwapRow(t.Context(), record.TrustRow, nil, old.Encode())
	if err != nil || !won {
		t.Fatal(won, err)
	}
	s.startProcessors()
	s.forge()
	s.catchUp() // the highest source is far ahead
	s.misplace(20)
	s.post(1, 500)
	s.catchUp()
	s.stop()
	r := s.verify()
	if r.OK() || r.ByKind[verify.KindLost] != 20 || !strings.Contains(r.String(), "there is no first one") {
		t.Errorf("20 events were lost:\n%s", r)
	}
	if r.ByKind[verify.KindValue] != 0 {
		t.Errorf("cells are those of the rules:\n%s", r)
	}
}
