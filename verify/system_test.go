package verify_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/node"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/sim/generate"
	"speedlayer/verify"
	"speedlayer/view"
)

const partitions = 2

// system is a node, which the test starts and stops.
type system struct {
	*testing.T
	data     string
	settings record.Settings
	node     *node.Node // at work, or its queue and store only
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{T: t, data: t.TempDir(), settings: view.Defaults()}
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *system) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// close may be called again.
func (s *system) close() {
	if s.node != nil {
		s.must(s.node.Close())
	}
	s.node = nil
}

// open opens queue and store, so that they can be looked at while nothing changes.
func (s *system) open() {
	s.Helper()
	var err error
	s.node, err = node.OpenBackends(context.WithoutCancel(s.Context()), node.Config{Data: s.data, Partitions: partitions})
	s.must(err)
}

// startProcessors puts the node to work until stop is called.
func (s *system) startProcessors() {
	s.Helper()
	s.close()
	var err error
	s.node, err = node.Open(context.WithoutCancel(s.Context()), node.Config{Data: s.data, Partitions: partitions, Settings: s.settings, ApplySettings: true})
	s.must(err)
}

func (s *system) stop() {
	s.Helper()
	s.close()
	s.open()
}

// post appends generated pageviews, and records of every other kind.
func (s *system) post(seed uint64, events int64) {
	s.Helper()
	g, err := generate.New(generate.Config{Events: events, Seed: seed, URLs: 60, Persons: 30_000, Domains: 1, Edges: -1})
	s.must(err)
	var e generate.Event
	var messages []queue.Message
	for g.Next(&e) {
		messages = append(messages, queue.Message{Person: append([]byte(nil), e.Person...), Value: e.AppendJSON(nil)})
	}
	for i := range 20 { // without a nonce, and no pageviews
		messages = append(messages,
			queue.Message{Person: fmt.Appendf(nil, "q%d", i), Value: fmt.Appendf(nil, `{"person":"q%d","url":"http://a.org/%d","ts":1700000000000}`, i, seed)},
			queue.Message{Person: fmt.Appendf(nil, "x%d", i), Value: []byte("nonsense")})
	}
	_, err = s.node.Queue().AppendSync(s.Context(), messages)
	s.must(err)
}

// misplace appends records to partitions where they do not belong.
func (s *system) misplace(n int) {
	s.Helper()
	p, err := kgo.NewClient(kgo.SeedBrokers(s.node.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	s.must(err)
	defer p.Close()
	for i := range n {
		person := fmt.Appendf(nil, "stray%d", i)
		s.must(p.ProduceSync(s.Context(), &kgo.Record{Topic: queue.TopicPageviews, Key: person,
			Partition: 1 - record.PartitionOf(person, partitions),
			Value:     fmt.Appendf(nil, `{"person":"stray%d","url":"http://a.org/","ts":1700000000000}`, i)}).FirstErr())
	}
}

// catchUp waits until everything in the log is committed, rerouted records too.
func (s *system) catchUp() {
	s.Helper()
	for {
		info, err := s.node.Queue().Info(s.Context())
		s.must(err)
		s.must(s.node.CatchUp(s.Context()))
		again, err := s.node.Queue().Info(s.Context())
		s.must(err)
		if fmt.Sprint(again.Ends) == fmt.Sprint(info.Ends) {
			return
		}
	}
}

func (s *system) config() verify.Config {
	return verify.Config{Cells: verify.FromStore(s.node.Store()), Log: s.node.Queue()}
}

func (s *system) verify() *verify.Report {
	s.Helper()
	r, err := verify.Run(s.Context(), s.config())
	s.must(err)
	return r
}

// mustHold fails unless a report has cells and no difference.
func (s *system) mustHold(r *verify.Report) {
	s.Helper()
	if !r.OK() || r.CellCount() == 0 {
		s.Fatalf("differences:\n%s", r)
	}
}
