package devcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"speedlayer/internal/sealed"
)

// state is state.json: what a folder's cluster is, and which processes are of it.
type state struct {
	Version        int            `json:"version"` // 1
	Kafka          bool           `json:"kafka"`   // started last time
	HBase          bool           `json:"hbase"`
	Brokers        int            `json:"brokers"`
	RegionServers  int            `json:"region_servers"`
	HDFS           bool           `json:"hdfs"`
	Authorize      bool           `json:"authorize"`
	SASL           bool           `json:"sasl"`
	Cassandra      bool           `json:"cassandra"`
	CassandraNodes int            `json:"cassandra_nodes"`
	CassandraAuth  bool           `json:"cassandra_auth"`
	Spark          bool           `json:"spark"`
	ClusterID      string         `json:"cluster_id"`  // of Kafka: a UUID as Kafka writes them
	Directories    []string       `json:"directories"` // ids of the brokers' data folders, in order; the same form
	Ports          ports          `json:"ports"`
	Processes      map[string]int `json:"processes"` // name to process id
}

const stateVersion = 1

func stateFile(dir string) string { return filepath.Join(dir, "state.json") }

// readState returns the folder's state; fs.ErrNotExist when there is none.
func readState(dir string) (*state, error) {
	text, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return nil, err
	}
	s := new(state)
	if err := sealed.Unmarshal(stateFile(dir), text, s); err != nil {
		return nil, fmt.Errorf("%w: end the servers that were started in %s (ps shows them), remove that folder, and begin with a fresh one", err, dir)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("%s: version %d; this program knows %d: begin with a fresh folder", stateFile(dir), s.Version, stateVersion)
	}
	if s.Ports == nil {
		s.Ports = make(ports)
	}
	if s.Processes == nil {
		s.Processes = make(map[string]int)
	}
	return s, nil
}

// write replaces the file at once, so that a reader never sees half of it.
func (s *state) write(dir string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temp := stateFile(dir) + ".new"
	if err := os.WriteFile(temp, append(sealed.Seal(text), '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, stateFile(dir))
}

// stateFor is the folder's state brought up to what is to be started beside what
// runs there. What its data was made with cannot be changed.
func stateFor(o Options, running map[string]int) (*state, error) {
	s, err := readState(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		s, err = &state{Version: stateVersion, ClusterID: newUUID(), Ports: make(ports)}, nil
	}
	if err != nil {
		return nil, err
	}
	if o.Kafka && len(s.Directories) > 0 && len(s.Directories) != o.Brokers {
		return nil, fmt.Errorf("%s was made with %d brokers, and is to start with %d: begin with a fresh folder", o.Dir, len(s.Directories), o.Brokers)
	}
	if o.HBase && s.RegionServers > 0 && s.HDFS != o.HDFS {
		return nil, fmt.Errorf("%s was made with HDFS %v, and is to start with %v: begin with a fresh folder", o.Dir, s.HDFS, o.HDFS)
	}
	if o.Cassandra && s.CassandraNodes > 0 && s.CassandraNodes != o.CassandraNodes {
		return nil, fmt.Errorf("%s was made with %d nodes of Cassandra, and is to start with %d: begin with a fresh folder", o.Dir, s.CassandraNodes, o.CassandraNodes)
	}
	if o.Cassandra || len(running) == 0 {
		s.Cassandra, s.CassandraAuth = o.Cassandra, o.CassandraAuth
	}
	if o.Cassandra {
		s.CassandraNodes = o.CassandraNodes
	}
	if o.Kafka || len(running) == 0 {
		s.Kafka, s.SASL = o.Kafka, o.SASL
	}
	if o.HBase || len(running) == 0 {
		s.HBase, s.Authorize = o.HBase, o.Authorize
	}
	if o.Kafka {
		s.Brokers = o.Brokers
		for len(s.Directories) < o.Brokers {
			s.Directories = append(s.Directories, newUUID())
		}
	}
	if o.HBase {
		s.RegionServers, s.HDFS = o.RegionServers, o.HDFS
	}
	if o.Spark || len(running) == 0 {
		s.Spark = o.Spark
	}
	s.Processes = make(map[string]int)
	maps.Copy(s.Processes, running)
	return s, nil
}

// fitsRunning reports whether the servers that run in the folder are of a cluster as
// the options want it: then those that have ended can be started beside them.
func (o Options) fitsRunning(running map[string]int) error {
	s, err := readState(o.Dir)
	if errors.Is(err, fs.ErrNotExist) || len(running) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	var kafka, hbase, cassandra bool
	for name := range running {
		switch {
		case strings.HasPrefix(name, sparkPrefix):
		case strings.HasPrefix(name, kafkaPrefix):
			kafka = true
		case strings.HasPrefix(name, cassandraPrefix):
			cassandra = true
		default:
			hbase = true
		}
	}
	end := fmt.Sprintf("repeat the flags that it was started with, or end it first, as with: speedlayer dev-cluster down --dir %s", o.Dir)
	if kafka && o.Kafka {
		for i, asked := range map[string]int{kafkaName(1): o.KafkaPort, kafkaSASLName(1): o.SASLPort} {
			if asked != 0 && s.Ports[i] != 0 && s.Ports[i] != asked && (o.SASL || i == kafkaName(1)) {
				return fmt.Errorf("%s: Kafka runs there, on port %d, not %d: %s", o.Dir, s.Ports[i], asked, end)
			}
		}
		if s.Brokers != o.Brokers || s.SASL != o.SASL {
			return fmt.Errorf("%s: Kafka runs there, with %d brokers and SASL %v, not %d and %v: %s", o.Dir, s.Brokers, s.SASL, o.Brokers, o.SASL, end)
		}
	}
	if hbase && o.HBase {
		if s.RegionServers != o.RegionServers || s.HDFS != o.HDFS || s.Authorize != o.Authorize {
			return fmt.Errorf("%s: HBase runs there, with %d region servers and HDFS %v, not %d and %v: %s", o.Dir, s.RegionServers, s.HDFS, o.RegionServers, o.HDFS, end)
		}
		if asked := o.ZooKeeperPort; asked != 0 && s.Ports[ZooKeeper] != asked {
			return fmt.Errorf("%s: HBase runs there, with ZooKeeper on port %d, not %d: %s", o.Dir, s.Ports[ZooKeeper], asked, end)
		}
	}
	if asked := o.SparkPort; o.Spark && running[SparkMaster] != 0 && asked != 0 && s.Ports[SparkMaster] != asked {
		return fmt.Errorf("%s: Spark runs there, on port %d, not %d: %s", o.Dir, s.Ports[SparkMaster], asked, end)
	}
	if cassandra && o.Cassandra {
		if s.CassandraNodes != o.CassandraNodes || s.CassandraAuth != o.CassandraAuth {
			return fmt.Errorf("%s: Cassandra runs there, with %d nodes and passwords %v, not %d and %v: %s", o.Dir, s.CassandraNodes, s.CassandraAuth, o.CassandraNodes, o.CassandraAuth, end)
		}
		if asked := o.CassandraPort; asked != 0 && s.Ports[CassandraNode(1)] != asked {
			return fmt.Errorf("%s: Cassandra runs there, on port %d, not %d: %s", o.Dir, s.Ports[CassandraNode(1)], asked, end)
		}
	}
	return nil
}
