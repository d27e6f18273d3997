package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/internal/devcluster"
)

// devClusterLimit is for the whole start, jars included.
const devClusterLimit = 5 * time.Minute

func newDevCluster(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev-cluster up|status|down",
		Short: "Run real Kafka, HBase, Cassandra and Spark on this machine, for development",
		Long: `Starts Apache Kafka, a store, which is Apache HBase (ZooKeeper, a master, region
servers) or Apache Cassandra, and Apache Spark (a standalone master, two workers),
each server as a process of its own, all on 127.0.0.1; Spark's second worker is on
127.0.0.2, as is Cassandra's second node, and its third on 127.0.0.3. The jars come
from Maven, are compared with a list of SHA-256 sums, and are kept for the next
time. Java 17 and Maven must be there. Configurations, data and logs lie in one
folder.`,
		Example: "  speedlayer dev-cluster up\n  speedlayer dev-cluster up kafka cassandra\n  speedlayer dev-cluster status\n  speedlayer dev-cluster down",
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDevClusterUp(io), newDevClusterStatus(io), newDevClusterDown(io))
	return cmd
}

// addDevClusterDir adds the flag that all of the commands have.
func addDevClusterDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", devClusterDir(), "`FOLDER` with configurations, data and logs")
}

// devClusterDir is where a cluster lies unless told otherwise: the same folder
// wherever the command is run. One that was made in the current folder, as they
// were before, is still found.
func devClusterDir() string {
	const here = "dev-cluster-data"
	cache, err := os.UserCacheDir()
	if err != nil || exists(filepath.Join(here, "state.json")) {
		return here
	}
	return filepath.Join(cache, "speedlayer", "dev-cluster")
}

func newDevClusterUp(io streams) *cobra.Command {
	var o devcluster.Options
	cmd := &cobra.Command{
		Use:     "up [kafka] [hbase] [cassandra] [spark]",
		Short:   "Start what does not run of the named servers (kafka and hbase if none is named), and return when it is ready",
		Example: "  speedlayer dev-cluster up\n  speedlayer dev-cluster up kafka --brokers 3\n  speedlayer dev-cluster up kafka hbase spark\n  speedlayer dev-cluster up hbase --region-servers 2 --hdfs --zookeeper-port 0\n  speedlayer dev-cluster up kafka cassandra --cassandra-nodes 3",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := selectServers(&o, args); err != nil {
				return err
			}
			if len(args) == 0 {
				o.Cassandra, o.Spark = false, false
			}
			return runDevClusterUp(cmd.Context(), io, o)
		},
	}
	addDevClusterDir(cmd, &o.Dir)
	flags := cmd.Flags()
	flags.StringVar(&o.Jars, "jars", "", "`FOLDER` that keeps the servers' jars (default: speedlayer/jars in the user's cache)")
	flags.IntVar(&o.Brokers, "brokers", 1, "of Kafka: 1 or 3")
	flags.IntVar(&o.RegionServers, "region-servers", 1, "of HBase")
	flags.IntVar(&o.RegionServerHeap, "region-server-heap", 1024, "most memory of a region server, in MiB")
	flags.BoolVar(&o.HDFS, "hdfs", false, "HBase on HDFS (a NameNode and a DataNode), not on the local file system")
	flags.BoolVar(&o.SASL, "sasl", false, "Kafka listens with TLS and passwords too")
	flags.IntVar(&o.KafkaPort, "kafka-port", 9092, "of Kafka, the first of three with three brokers; 0: a free one, the same each time")
	flags.IntVar(&o.SASLPort, "sasl-port", 9192, "of Kafka with TLS and passwords; 0: a free one")
	flags.IntVar(&o.ZooKeeperPort, "zookeeper-port", 2181, "of ZooKeeper, by which HBase is found; 0: a free one")
	flags.IntVar(&o.SparkPort, "spark-port", 7077, "of Spark's master; 0: a free one")
	flags.IntVar(&o.CassandraNodes, "cassandra-nodes", 1, "of Cassandra, 1 to 3: the first on 127.0.0.1, the others on 127.0.0.2 and 127.0.0.3")
	flags.IntVar(&o.CassandraPort, "cassandra-port", 9042, "of all nodes of Cassandra; 0: a free one")
	flags.StringVar(&o.CassandraSync, "cassandra-sync", devcluster.SyncGroup, "commitlog_sync of Cassandra: group, batch, or periodic, which loses acknowledged writes at kill -9")
	flags.BoolVar(&o.CassandraAuth, "cassandra-auth", false, "Cassandra takes TLS too, and asks for a user and a password")
	flags.DurationVar(&o.Session, "session", 10*time.Second, "after how long a silent server of HBase is taken for dead")
	return cmd
}

// servers are what can be started.
var servers = []string{"kafka", "hbase", "cassandra", "spark"}

// selectServers sets which servers the arguments name.
func selectServers(o *devcluster.Options, args []string) error {
	for _, a := range args {
		if !slices.Contains(servers, a) {
			return usagef("%q: allowed are %s, or nothing", a, strings.Join(servers, ", "))
		}
	}
	o.Kafka = len(args) == 0 || slices.Contains(args, "kafka")
	o.HBase = len(args) == 0 || slices.Contains(args, "hbase")
	o.Spark = len(args) == 0 || slices.Contains(args, "spark")
	o.Cassandra = len(args) == 0 || slices.Contains(args, "cassandra")
	return nil
}

func runDevClusterUp(ctx context.Context, io streams, o devcluster.Options) error {
	o.Detach, o.Log = true, io.err
	if o.CassandraNodes == 0 || o.CassandraSync == "" {
		return usagef("--cassandra-nodes %d, --cassandra-sync %q: allowed are 1 to 3, and group, batch, periodic", o.CassandraNodes, o.CassandraSync)
	}
	if o.Brokers == 0 || o.RegionServers == 0 { // defaults for programs, not for people
		return usagef("--brokers %d, --region-servers %d: allowed are 1 or 3, and 1 to 9", o.Brokers, o.RegionServers)
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithTimeout(ctx, devClusterLimit)
	defer cancel()
	began := time.Now()
	c, err := devcluster.Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.err, "ready after %v\n", time.Since(began).Round(100*time.Millisecond))
	if b := c.Brokers(); len(b) > 0 {
		fmt.Fprintf(io.out, "kafka      %s\n", strings.Join(b, ","))
	}
	if b := c.SASLBrokers(); len(b) > 0 {
		fmt.Fprintf(io.out, "kafka sasl %s  user %s, password %s (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512); authority %s\n",
			strings.Join(b, ","), devcluster.User, devcluster.Password, c.Authority())
	}
	if o.HBase {
		fmt.Fprintf(io.out, "hbase      %s  (its ZooKeeper)\n", c.ZooKeeper())
	}
	if o.Spark {
		fmt.Fprintf(io.out, "spark      %s  (web pages: %s)\n", c.SparkURL(), c.SparkUI())
	}
	if nodes := c.CassandraNodes(); len(nodes) > 0 {
		fmt.Fprintf(io.out, "cassandra  %s\n", strings.Join(nodes, ","))
	}
	if o.CassandraAuth {
		fmt.Fprintf(io.out, "           user %s, password %s; TLS with authority %s\n", devcluster.User, devcluster.Password, c.Authority())
	}
	return nil
}

func newDevClusterStatus(io streams) *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say which servers run; exit status 1 if one does not that was started",
		Example: "  speedlayer dev-cluster status --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runDevClusterStatus(io, dir, asJSON) },
	}
	addDevClusterDir(cmd, &dir)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// devProcess is a server, as status shows it.
type devProcess struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	PID     int    `json:"pid"`
	Port    int    `json:"port"`
	Log     string `json:"log"`
}

func runDevClusterStatus(io streams, dir string, asJSON bool) error {
	c, err := devcluster.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no cluster in %s: start one with speedlayer dev-cluster up, or name its folder with --dir", dir)
	} else if err != nil {
		return err
	}
	all, gone := []devProcess{}, 0
	for _, name := range c.Names() {
		p := devProcess{Name: name, Running: c.Running(name), PID: c.PID(name), Port: c.Port(name), Log: c.LogFile(name)}
		all = append(all, p)
		if !p.Running {
			gone++
		}
	}
	if asJSON {
		err = json.NewEncoder(io.out).Encode(all)
	} else {
		err = printDevProcesses(io, all)
	}
	switch {
	case err != nil:
		return err
	case gone > 0:
		return fmt.Errorf("%d of %d servers do not run", gone, len(all))
	case len(all) == 0:
		return fmt.Errorf("the cluster in %s is down", dir)
	}
	return nil
}

func printDevProcesses(io streams, all []devProcess) error {
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	for _, p := range all {
		is := "running"
		if !p.Running {
			is = "gone"
		}
		fmt.Fprintf(w, "%s\t%s\tpid %d\tport %d\t%s\n", p.Name, is, p.PID, p.Port, p.Log)
	}
	return w.Flush()
}

func newDevClusterDown(io streams) *cobra.Command {
	var o devcluster.Options
	cmd := &cobra.Command{
		Use:     "down [kafka] [hbase] [cassandra] [spark]",
		Short:   "Stop it (all, unless some are named); its data stays in the folder",
		Example: "  speedlayer dev-cluster down --dir dev-cluster-data\n  speedlayer dev-cluster down hbase",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := selectServers(&o, args); err != nil {
				return err
			}
			names, err := devcluster.Down(cmd.Context(), o)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("no cluster in %s: name its folder with --dir", o.Dir)
			}
			for _, name := range names {
				fmt.Fprintf(io.out, "stopped %s\n", name)
			}
			return err
		},
	}
	addDevClusterDir(cmd, &o.Dir)
	return cmd
}
