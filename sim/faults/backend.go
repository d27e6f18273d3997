package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"speedlayer/internal/devcluster"
	"speedlayer/store"
	"speedlayer/store/cassandra"
	"speedlayer/store/hbase"
)

// Kinds of faults of Cassandra, in place of those of HBase.
const (
	KillCassandra  Kind = "kill cassandra"  // one node
	PauseCassandra Kind = "pause cassandra" // one node, for longer than a request may take; then it goes on
	CutCassandra   Kind = "cut cassandra"
	SlowCassandra  Kind = "slow cassandra"
)

// CassandraKinds are Kinds with Cassandra in HBase's place.
var CassandraKinds = []Kind{KillProcessor, KillCollector, KillBroker, KillCassandra, PauseCassandra, PauseProcessor,
	CutKafka, SlowKafka, CutCassandra, SlowCassandra, TearCommit, RestartAll}

// keyspace is where a run's tables are.
const keyspace = "speedlayer"

// servers returns the servers that the run starts.
func (c *Config) servers() devcluster.Options {
	o := devcluster.Options{Kafka: true, Brokers: c.Brokers, Quick: true, Jars: c.Jars, Log: c.Log}
	if c.Cassandra > 0 {
		o.Cassandra, o.CassandraNodes = true, c.Cassandra
		return o
	}
	o.HBase, o.HDFS, o.Session, o.RegionServers = true, c.HDFS, serverSession, 2
	return o
}

// storeURL is what our processes get as --store: it leads through the proxies.
func (w *world) storeURL() string {
	if w.cfg.Cassandra > 0 {
		return "cassandra://" + strings.Join(w.cluster.FrontCassandraNodes(), ",") + "/" + keyspace
	}
	return "hbase://" + w.cluster.FrontZooKeeper() + "/hbase"
}

// storeProxies are the beginnings of the names of the proxies to the store.
func (w *world) storeProxies() []string {
	if w.cfg.Cassandra > 0 {
		return []string{"cassandra-"}
	}
	return []string{devcluster.ZooKeeper, "regionserver-"}
}

// openStore opens the store without the proxies.
func (w *world) openStore(ctx context.Context) (store.Store, error) {
	if w.cfg.Cassandra == 0 {
		return hbase.Open(ctx, hbase.Options{Quorum: []string{w.cluster.ZooKeeper()}})
	}
	return cassandra.Open(ctx, cassandra.Options{Hosts: w.cluster.CassandraNodes(), Keyspace: keyspace})
}

// cassandraPause is longer than a request waits for an answer.
const cassandraPause = 7 * time.Second

func (w *world) injectInCassandra(ctx context.Context, f Fault) error {
	name := devcluster.CassandraNode(1 + f.Which%w.cfg.Cassandra)
	switch f.Kind {
	case KillCassandra:
		return w.killServer(ctx, name, f.For)
	case PauseCassandra:
		if err := w.cluster.Pause(name); err != nil {
			return err
		}
		return errors.Join(wait(ctx, cassandraPause+f.For), w.cluster.Resume(name))
	case CutCassandra:
		return w.proxies.cut(ctx, f.For, w.storeProxies()...)
	case SlowCassandra:
		return w.proxies.slow(ctx, f.For, w.storeProxies()...)
	}
	return fmt.Errorf("no such fault: %q", f.Kind)
}

// defaultKinds are all that the servers can bear.
func (c *Config) defaultKinds() []Kind {
	switch {
	case c.Cassandra > 0:
		return CassandraKinds
	case c.HDFS:
		return HDFSKinds
	}
	return Kinds
}
