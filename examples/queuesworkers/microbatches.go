package main

import (
	"context"

	"speedlayer/queue"
	"speedlayer/topology"
)

// microbatches is the same job as a topology: pageviews -> url-and-hour -> count.
type microbatches struct {
	job    *topology.Job
	counts *topology.Counts
}

// define is the topology. Its decoder filters and validates: what it refuses goes to
// the topic pageviews-rejected, with the reason.
func define() (*topology.Topology, *topology.Counts) {
	t := topology.New("queuesworkers")
	codec := topology.JSON[*Pageview]()
	codec.Decode = decode
	views := topology.Source(t, topic, codec)
	return t, topology.Count(topology.By(views, "url-and-hour", (*Pageview).Key), "count")
}

// runBatches runs the topology with batches of at most so many pageviews; 0 is as
// many as came.
func runBatches(ctx context.Context, brokers []string, dir string, most int) (system, error) {
	t, counts := define()
	job, err := topology.Run(ctx, t, topology.Config{Data: dir, Partitions: partitions,
		Kafka: queue.Config{Brokers: brokers}, MaxBatch: most})
	if err != nil {
		return nil, err
	}
	return &microbatches{job, counts}, nil
}

func (m *microbatches) count(ctx context.Context, key string) (n uint64, err error) {
	err = m.read(ctx, func(s *topology.Snapshot) (err error) {
		n, err = m.counts.Get(ctx, s, key, topology.Range{})
		return err
	})
	return n, err
}

func (m *microbatches) all(ctx context.Context) (map[string]uint64, error) {
	counts := map[string]uint64{}
	return counts, m.read(ctx, func(s *topology.Snapshot) error {
		for c, err := range m.counts.All(ctx, s, topology.Range{}) {
			if err != nil {
				return err
			}
			counts[c.Key] = c.Count
		}
		return nil
	})
}

func (m *microbatches) read(ctx context.Context, with func(*topology.Snapshot) error) error {
	s, err := m.job.Query(ctx)
	if err != nil {
		return err
	}
	if err := with(s); err != nil {
		_ = s.Close()
		return err
	}
	return s.Close()
}

func (m *microbatches) settle(ctx context.Context) error { return m.job.Settle(ctx) }
func (m *microbatches) close() error                     { return m.job.Close() }
