package devcluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// cassandraPrefix begins the names of Cassandra's nodes.
const cassandraPrefix = "cassandra-"

// CassandraNode is the name of the ith node, from 1.
func CassandraNode(i int) string { return fmt.Sprintf("%s%d", cassandraPrefix, i) }

// cassandraStorage is the name of the port by which nodes reach each other.
const cassandraStorage = cassandraPrefix + "1 storage"

// How nodes make their commit logs durable: Options.CassandraSync.
const (
	SyncGroup    = "group"
	SyncBatch    = "batch"
	SyncPeriodic = "periodic"
)

// cassandraHeap is the heap of a node, in MiB.
const cassandraHeap = 512

// cassandraHost returns the address of the ith node. All nodes have the same ports,
// because that is what Cassandra's clients expect. Only Linux has more than the first
// address of the loopback without further configuration.
func cassandraHost(i int) string { return fmt.Sprintf("127.0.0.%d", i) }

// frontCassandraHost returns the address of what stands in front of the ith node.
func frontCassandraHost(i int) string { return fmt.Sprintf("127.0.0.%d", 10+i) }

func (c *Cluster) cassandraPorts(o Options) error {
	if err := c.wantPort(CassandraNode(1), o.CassandraPort, "--cassandra-port"); err != nil {
		return err
	}
	for i := 2; i <= o.CassandraNodes; i++ {
		c.state.Ports[CassandraNode(i)] = c.state.Ports[CassandraNode(1)]
	}
	return c.wantPort(cassandraStorage, 0, "")
}

func (c *Cluster) cassandraConfigs(sync string) error {
	if c.state.CassandraAuth {
		if err := c.certificates(); err != nil {
			return err
		}
	}
	if err := writeFile(c.conf("cassandra/logback.xml"), embedded("logback.xml")); err != nil {
		return err
	}
	n := c.state.CassandraNodes
	seeds := make([]string, n)
	for i := range seeds {
		seeds[i] = net.JoinHostPort(cassandraHost(i+1), strconv.Itoa(c.state.Ports[cassandraStorage]))
	}
	for i := 1; i <= n; i++ {
		host := cassandraHost(i)
		if c.front != nil {
			host = frontCassandraHost(i)
		}
		err := c.writeConfig("cassandra.yaml", cassandraConfig(i), map[string]any{
			"Token": cassandraToken(i, n), "Seeds": strings.Join(seeds, ","), "Host": cassandraHost(i), "ClientHost": host,
			"StoragePort": c.state.Ports[cassandraStorage], "Port": c.state.Ports[CassandraNode(1)],
			"Data": c.data(CassandraNode(i)), "Sync": sync, "Group": sync == "group", "Periodic": sync == "periodic", "Auth": c.state.CassandraAuth, "KeyStore": c.conf(keyStore),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cassandraToken divides the ring, from -2^63 to 2^63-1, evenly among n nodes.
func cassandraToken(i, n int) int64 {
	return math.MinInt64 + 1 + int64(uint64(i-1)*(math.MaxUint64/uint64(n)))
}

func cassandraConfig(i int) string { return filepath.Join("cassandra", CassandraNode(i)+".yaml") }

// cassandraJava are the flags that Cassandra's own scripts give to Java 17.
func cassandraJava() []string {
	java := []string{"-ea", "-da:net.openhft...", "-Xss256k", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=300",
		"-XX:+PerfDisableSharedMem", "-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true"}
	for _, p := range []string{"java.base/jdk.internal.misc", "java.management.rmi/com.sun.jmx.remote.internal.rmi",
		"java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server", "java.sql/java.sql", "java.base/java.lang.ref",
		"jdk.unsupported/sun.misc", "jdk.compiler/com.sun.tools.javac.file", "jdk.attach/sun.tools.attach"} {
		java = append(java, "--add-exports", p+"=ALL-UNNAMED")
	}
	for _, p := range []string{"java.base/java.lang.module", "java.base/jdk.internal.loader", "java.base/jdk.internal.ref",
		"java.base/jdk.internal.reflect", "java.base/jdk.internal.math", "java.base/jdk.internal.module",
		"java.base/jdk.internal.util.jar", "jdk.management/com.sun.management.internal", "java.base/sun.nio.ch", "java.base/java.io",
		"java.base/java.lang.reflect", "jdk.compiler/com.sun.tools.javac", "java.base/java.lang", "java.base/java.util", "java.base/java.nio"} {
		java = append(java, "--add-opens", p+"=ALL-UNNAMED")
	}
	return java
}

func (c *Cluster) cassandraProcess(i int) *process {
	jars := c.jars["cassandra"]
	java := append(compiler(c.quick), cassandraJava()...)
	java = append(java, fmt.Sprintf("-Xms%dm", cassandraHeap), fmt.Sprintf("-Xmx%dm", cassandraHeap),
		"-javaagent:"+filepath.Join(jars, "jamm-0.4.0.jar"),
		"-Dlogback.configurationFile="+c.conf("cassandra/logback.xml"),
		"-Dcassandra.config=file://"+c.conf(cassandraConfig(i)), "-Dcassandra.storagedir="+c.data(CassandraNode(i)),
		"-Dcassandra-foreground=yes",
		// Nodes that start together wait neither for gossip to settle nor for streams,
		// and the first user is there at once.
		"-Dcassandra.ring_delay_ms=1000", "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.superuser_setup_delay_ms=0",
		"-Dcassandra.consistent.rangemovement=false",
		"-cp", filepath.Join(jars, "*"), "org.apache.cassandra.service.CassandraDaemon")
	return c.newProcess(CassandraNode(i), java)
}

// CassandraNodes are the addresses of Cassandra, host:port.
func (c *Cluster) CassandraNodes() []string { return c.cassandraAddresses(cassandraHost) }

// FrontCassandraNodes are the addresses of what stands in front of the nodes.
func (c *Cluster) FrontCassandraNodes() []string { return c.cassandraAddresses(frontCassandraHost) }

func (c *Cluster) cassandraAddresses(host func(int) string) (all []string) {
	for i := 1; c.state.Cassandra && i <= c.state.CassandraNodes; i++ {
		all = append(all, net.JoinHostPort(host(i), strconv.Itoa(c.state.Ports[CassandraNode(1)])))
	}
	return all
}

// cassandraKeyspace is where readiness writes and reads, with a copy on each node.
const cassandraKeyspace = "speedlayer_devcluster_check"

// cassandraReady waits until each node serves clients and reaches all others: it
// reads all copies of a row.
func (c *Cluster) cassandraReady(ctx context.Context) error {
	for i := 1; i <= c.state.CassandraNodes; i++ {
		err := until(ctx, readyPoll, func() error {
			if err := c.allRun(cassandraPrefix); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, 4*readyCall) // the first time it creates a table
			defer cancel()
			return c.cassandraAnswers(ctx, i)
		})
		if err != nil {
			return fmt.Errorf("%s is not ready: %w", CassandraNode(i), err)
		}
	}
	return nil
}

// cassandraSession opens a connection to one node only.
func (c *Cluster) cassandraSession(i int) (*gocql.Session, error) {
	config := gocql.NewCluster(cassandraHost(i))
	config.Port, config.NumConns = c.state.Ports[CassandraNode(1)], 1
	config.ConnectTimeout, config.Timeout = readyCall, 4*readyCall
	config.DisableInitialHostLookup = true
	config.Metadata.CacheMode = gocql.Disabled
	config.ReconnectInterval = 0
	if c.state.CassandraAuth {
		config.Authenticator = gocql.PasswordAuthenticator{Username: "cassandra", Password: "cassandra"}
	}
	return config.CreateSession()
}

func (c *Cluster) cassandraAnswers(ctx context.Context, i int) error {
	session, err := c.cassandraSession(i)
	if err != nil {
		return err
	}
	defer session.Close()
	read := func() error {
		return session.Query("SELECT k FROM " + cassandraKeyspace + ".t WHERE k = 0").Consistency(gocql.All).ExecContext(ctx)
	}
	if i > 1 {
		return read()
	}
	statements := []string{
		fmt.Sprintf("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': %d}", cassandraKeyspace, c.state.CassandraNodes),
		"CREATE TABLE IF NOT EXISTS " + cassandraKeyspace + ".t (k int PRIMARY KEY)",
	}
	if c.state.CassandraAuth {
		statements = append(statements,
			fmt.Sprintf("CREATE ROLE IF NOT EXISTS %s WITH PASSWORD = '%s' AND LOGIN = true AND SUPERUSER = true", User, Password),
			fmt.Sprintf("CREATE ROLE IF NOT EXISTS %s WITH PASSWORD = '%s' AND LOGIN = true", Guest, Password))
	}
	for _, s := range statements {
		if err := session.Query(s).ExecContext(ctx); err != nil {
			return err
		}
	}
	return read()
}

// checkCassandra checks the options that are Cassandra's.
func (o Options) checkCassandra() error {
	switch {
	case o.CassandraNodes < 1 || o.CassandraNodes > maxCassandraNodes:
		return fmt.Errorf("%d nodes of Cassandra: allowed are 1 to %d", o.CassandraNodes, maxCassandraNodes)
	case o.CassandraSync != SyncGroup && o.CassandraSync != SyncBatch && o.CassandraSync != SyncPeriodic:
		return fmt.Errorf("commit log sync %q: allowed are %s, %s and %s", o.CassandraSync, SyncGroup, SyncBatch, SyncPeriodic)
	case o.CassandraAuth && !o.Cassandra:
		return errors.New("passwords are Cassandra's, which is not to be started")
	}
	return nil
}

const maxCassandraNodes = 3
