package verify

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/expire"
	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/sim/generate"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

const partitions = 2

// system is a broker, a store and processors.
type system struct {
	*testing.T
	broker   *embedded.Broker
	queue    *queue.Client
	store    *pebble.Store
	dir      string
	settings microbatch.Settings

	epoch    store.Epoch
	progress *microbatch.Progress
	stop     func()
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{T: t, dir: t.TempDir(), settings: microbatch.DefaultSettings()}
	var err error
	s.store, err = pebble.Open(pebble.Options{Dir: t.TempDir()})
	s.must(err)
	t.Cleanup(func() { s.must(s.store.Close()) })
	s.startBroker()
	t.Cleanup(func() { s.stopBroker() })
	return s
}

func (s *system) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *system) startBroker() {
	s.Helper()
	var err error
	s.broker, err = embedded.Start(embedded.Config{Dir: s.dir})
	s.must(err)
	s.queue, err = queue.Dial(context.Background(), queue.Config{Brokers: []string{s.broker.Addr()}, Partitions: partitions})
	s.must(err)
}

func (s *system) stopBroker() {
	s.queue.Close()
	if err := s.broker.Close(); err != nil {
		s.Error(err)
	}
}

// startProcessors runs processors until stop is called.
func (s *system) startProcessors() {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	topic, err := s.queue.Info(ctx)
	s.must(err)
	current, err := expire.Settings(ctx, s.store, s.settings)
	s.must(err)
	s.epoch, _, err = microbatch.EnsureEpoch(ctx, s.store, topic, current)
	s.must(err)
	_, _, err = expire.EnsureSettings(ctx, s.store, s.queue, topic.Partitions, s.settings)
	s.must(err)
	s.progress = microbatch.NewProgress(make([]int64, partitions))
	r := microbatch.NewRunner(microbatch.RunnerConfig{
		Store: s.store, Queue: s.queue, Epoch: s.epoch, Progress: s.progress, Hash: microbatch.PageviewHash(),
		Operator: func() microbatch.Operator { return microbatch.NewPageviews(s.settings, view.Limits{}) },
		Logger:   slog.New(slog.DiscardHandler), MaxBatch: 500,
	})
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, 5*time.Second) }()
	s.stop = func() {
		s.Helper()
		cancel()
		s.must(<-done)
	}
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
	_, err = s.queue.AppendSync(s.Context(), messages)
	s.must(err)
}

// misplace appends records to partitions where they do not belong.
func (s *system) misplace(n int) {
	s.Helper()
	p, err := kgo.NewClient(kgo.SeedBrokers(s.broker.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	s.must(err)
	defer p.Close()
	for i := range n {
		person := fmt.Appendf(nil, "stray%d", i)
		s.must(p.ProduceSync(s.Context(), &kgo.Record{Topic: queue.TopicPageviews, Key: person,
			Partition: 1 - queue.PartitionOf(person, partitions),
			Value:     fmt.Appendf(nil, `{"person":"stray%d","url":"http://a.org/","ts":1700000000000}`, i)}).FirstErr())
	}
}

// catchUp waits until everything in the log is committed, moved records too.
func (s *system) catchUp() {
	s.Helper()
	for {
		info, err := s.queue.Info(s.Context())
		s.must(err)
		var last []queue.Position
		for part, end := range info.Ends {
			last = append(last, queue.Position{Partition: int32(part), Offset: end - 1})
		}
		s.must(s.progress.Wait(s.Context(), last))
		again, err := s.queue.Info(s.Context())
		s.must(err)
		if fmt.Sprint(again.Ends) == fmt.Sprint(info.Ends) {
			return
		}
	}
}

func (s *system) config() Config { return Config{Cells: FromStore(s.store.Read), Log: s.queue} }

func (s *system) verify() *Report {
	s.Helper()
	r, err := Run(s.Context(), s.config())
	s.must(err)
	return r
}

// mustHold fails unless a report has cells and no difference.
func (s *system) mustHold(r *Report) {
	s.Helper()
	if !r.OK() || r.CellCount() == 0 {
		s.Fatalf("differences:\n%s", r)
	}
}
