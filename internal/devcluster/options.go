package devcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options say what to start. The zero value of each field is its default.
type Options struct {
	Dir  string // folder of the cluster, made if it is not there; required
	Jars string // folder of the jars, shared by clusters; default: speedlayer/jars in the user's cache

	Kafka bool // start Kafka
	HBase bool // start ZooKeeper and HBase
	Spark bool // start a standalone cluster of Spark: a master and SparkWorkers workers
	// Cassandra starts nodes of Cassandra, on 127.0.0.1, 127.0.0.2 and so on, with one port.
	Cassandra bool

	Brokers       int // of Kafka: 1 or 3; default 1
	RegionServers int // of HBase, 1 to 9; default 1
	// RegionServerHeap is the most memory of a region server's heap, in MiB; default
	// 1024, which is for tests: a quarter of it holds what is not flushed yet.
	RegionServerHeap int
	HDFS             bool // HBase on a NameNode and a DataNode, not on the local file system
	Authorize        bool // HBase authenticates, and lets SuperUser do anything and others nothing
	SASL             bool // brokers listen on a second port with TLS and passwords too

	CassandraNodes int    // 1 to 3; default 1
	CassandraSync  string // how their commit logs become durable; default SyncGroup
	CassandraAuth  bool   // Cassandra takes TLS too, and asks for a user and a password: User has all rights, Guest none

	// Ports; 0 is a free one, or the one that this folder had before. With
	// three brokers they are the first of three in a row.
	KafkaPort, SASLPort, ZooKeeperPort, CassandraPort int
	SparkPort                                         int // of the master

	// Session is how long ZooKeeper waits for a server that is silent before it
	// is taken for dead, 4 s to 40 s; default 10 s.
	Session time.Duration
	// Quick has every JVM compile with C1 only: about half the time to start,
	// and less speed later. For tests.
	Quick bool
	// Detach leaves the processes running when the one that started them ends.
	Detach bool
	// Front, if set, is called for each address on which clients of brokers,
	// ZooKeeper, region servers and nodes of Cassandra are to arrive, before the
	// server starts: what it sets up listens there and passes on to the upstream. So
	// a test can cut and slow what clients see (Cluster.FrontBrokers, FrontZooKeeper,
	// FrontCassandraNodes). Of
	// HBase's own servers the master comes this way to the region servers, too.
	// Region servers are then called 127.0.0.2, which only Linux has without more.
	Front func(name, listen, upstream string) error
	// Log gets a line for each step; nil drops them.
	Log io.Writer
}

// SuperUser is the user that may do anything in HBase, as may the one that runs it.
const SuperUser = "root"

// Limits of Options.
const (
	maxRegionServers = 9
	minHeap          = 512 // MiB
	minSession       = 4 * time.Second
	maxSession       = 40 * time.Second
)

// withDefaults returns the options with every default filled in, or an error
// that reports what is allowed.
func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("devcluster: no folder given")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return o, err
	}
	if o.Jars == "" {
		if o.Jars, err = DefaultJars(); err != nil {
			return o, err
		}
	}
	if o.Jars, err = filepath.Abs(o.Jars); err != nil {
		return o, err
	}
	if o.Brokers == 0 {
		o.Brokers = 1
	}
	if o.RegionServers == 0 {
		o.RegionServers = 1
	}
	if o.RegionServerHeap == 0 {
		o.RegionServerHeap = 1024
	}
	if o.CassandraNodes == 0 {
		o.CassandraNodes = 1
	}
	if o.CassandraSync == "" {
		o.CassandraSync = SyncGroup
	}
	if o.Session == 0 {
		o.Session = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o, o.check()
}

// Check reports whether the options can be fulfilled at all, and what is allowed.
func (o Options) Check() error {
	_, err := o.withDefaults()
	return err
}

// has reports whether a server of that name is one of those to start.
func (o Options) has(name string) bool {
	switch {
	case strings.HasPrefix(name, sparkPrefix):
		return o.Spark
	case strings.HasPrefix(name, kafkaPrefix):
		return o.Kafka
	case strings.HasPrefix(name, cassandraPrefix):
		return o.Cassandra
	}
	return o.HBase
}

func (o Options) check() error {
	switch {
	case !o.Kafka && !o.HBase && !o.Cassandra && !o.Spark:
		return errors.New("nothing to start: allowed are Kafka, HBase, Cassandra and Spark")
	case o.Brokers != 1 && o.Brokers != 3:
		return fmt.Errorf("%d brokers: allowed are 1 and 3", o.Brokers)
	case o.RegionServers < 1 || o.RegionServers > maxRegionServers:
		return fmt.Errorf("%d region servers: allowed are 1 to %d", o.RegionServers, maxRegionServers)
	case o.RegionServerHeap < minHeap:
		return fmt.Errorf("a heap of %d MiB: allowed are %d and more", o.RegionServerHeap, minHeap)
	case o.Session < minSession || o.Session > maxSession:
		return fmt.Errorf("a session of %v: allowed are %v to %v", o.Session, minSession, maxSession)
	case o.SASL && !o.Kafka:
		return errors.New("SASL is a listener of Kafka, which is not to be started")
	case o.Authorize && !o.HBase:
		return errors.New("authorization is HBase's, which is not to be started")
	case o.HDFS && !o.HBase:
		return errors.New("HDFS is for HBase, which is not to be started")
	}
	for _, p := range []int{o.KafkaPort, o.SASLPort, o.ZooKeeperPort, o.CassandraPort, o.SparkPort} {
		if p < 0 || p > 65535-o.Brokers {
			return fmt.Errorf("port %d: allowed are 1 to %d, and 0 for a free one", p, 65535-o.Brokers)
		}
	}
	return o.checkCassandra()
}

// DefaultJars is where jars are kept unless told otherwise.
func DefaultJars() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep jars in: %w", err)
	}
	return filepath.Join(cache, "speedlayer", "jars"), nil
}
