package topology

import (
	"context"
	"strings"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/store/hbase"
)

// On real Kafka and HBase two processes share a job, and one of them leaves: all
// results are what maps give.
func TestClusterTopology(t *testing.T) {
	c := clustertest.Start(t, devcluster.Options{Kafka: true, HBase: true})
	cfg := Config{Partitions: 2, Kafka: queue.Config{Brokers: c.Brokers()}, OpenStore: func(ctx context.Context, topic string) (store.Store, error) {
		return hbase.Open(ctx, hbase.Options{Quorum: []string{c.ZooKeeper()}, Prefix: "topology_" + strings.ReplaceAll(topic, "-", "_"), Views: Views()})
	}}
	var jobs [2]*Job
	var r results
	for i := range jobs {
		var topology *Topology
		topology, r = everything()
		job, err := Run(t.Context(), topology, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = job.Close() })
		jobs[i] = job
	}
	lines := []string{"aa bb aa", "b", "ca cb cc aa", "", "bb bb"}
	feed(t, jobs[0], lines)
	if err := jobs[0].Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := jobs[0].Close(); err != nil {
		t.Fatal(err)
	}
	lines = append(lines, "aa ab", "cc")
	feed(t, jobs[1], lines)
	s := settled(t, jobs[1])
	check(t, s, r, lines)
}
