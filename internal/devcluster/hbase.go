package devcluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/tsuna/gohbase"
	"github.com/tsuna/gohbase/hrpc"
)

// Names of HBase's processes.
const (
	ZooKeeper = "zookeeper"
	Master    = "master"
	NameNode  = "namenode"
	DataNode  = "datanode"
)

// RegionServer is the name of the ith region server, from 1.
func RegionServer(i int) string { return fmt.Sprintf("regionserver-%d", i) }

// Broker is the name of the ith broker, from 1.
func Broker(i int) string { return kafkaName(i) }

func (c *Cluster) hbasePorts(o Options) error {
	names := []string{Master}
	for i := 1; i <= o.RegionServers; i++ {
		names = append(names, RegionServer(i))
	}
	if o.HDFS {
		names = append(names, NameNode, nameNodeHTTP, DataNode, dataNodeIPC)
	}
	err := c.wantPort(ZooKeeper, o.ZooKeeperPort, "--zookeeper-port")
	for _, name := range names {
		if err == nil {
			err = c.wantPort(name, 0, "")
		}
	}
	if err == nil {
		err = c.wantFront(ZooKeeper, false)
	}
	return err
}

func (c *Cluster) hbaseConfigs() error {
	root := "file://" + c.data("hbase")
	if c.state.HDFS {
		root = "hdfs://" + c.state.Ports.address(NameNode) + "/hbase"
		if err := c.hdfsConfigs(); err != nil {
			return err
		}
	}
	err := c.writeConfig("zoo.cfg", "zoo.cfg", map[string]any{"Data": c.data(ZooKeeper), "Port": c.state.Ports[ZooKeeper]})
	if err != nil {
		return err
	}
	return c.writeConfig("hbase-site.xml", "hbase/hbase-site.xml", map[string]any{
		"Root": root, "Temp": c.data("tmp"), "ZooKeeperPort": c.state.Ports[ZooKeeper], "MasterPort": c.state.Ports[Master],
		"SessionMillis": c.session.Milliseconds(), "MinToStart": min(2, c.state.RegionServers), "HDFS": c.state.HDFS,
		"RegionServerHost": c.regionServerHost(), "Authorize": c.state.Authorize, "SuperUser": SuperUser,
	})
}

// hadoopJava are the flags that HBase's own scripts give to Java 17, and the
// class path: configuration first.
func (c *Cluster) hadoopJava(heapMB int, quick bool) []string {
	java := append(compiler(quick), fmt.Sprintf("-Xmx%dm", heapMB),
		"-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true", "--add-modules", "jdk.unsupported")
	for _, p := range []string{"java.nio", "sun.nio.ch", "java.lang", "jdk.internal.ref", "java.lang.reflect", "java.util",
		"java.util.concurrent", "jdk.internal.util.random"} {
		java = append(java, "--add-opens", "java.base/"+p+"=ALL-UNNAMED")
	}
	for _, p := range []string{"java.base/jdk.internal.misc", "java.security.jgss/sun.security.krb5", "java.base/sun.net.dns",
		"java.base/sun.net.util"} {
		java = append(java, "--add-exports", p+"=ALL-UNNAMED")
	}
	return append(java, "-cp", c.conf("hbase")+":"+filepath.Join(c.jars["hbase"], "*"))
}

// Heaps, in MiB.
const (
	zooKeeperHeap = 128
	masterHeap    = 384
	hdfsHeap      = 256
)

func (c *Cluster) zooKeeperProcess() *process {
	return c.newProcess(ZooKeeper, append(c.hadoopJava(zooKeeperHeap, true),
		"org.apache.zookeeper.server.ZooKeeperServerMain", c.conf("zoo.cfg")))
}

func (c *Cluster) masterProcess() *process {
	return c.newProcess(Master, append(c.hadoopJava(masterHeap, true), "org.apache.hadoop.hbase.master.HMaster", "start"))
}

func (c *Cluster) regionServerProcess(i int) *process {
	return c.newProcess(RegionServer(i), append(c.hadoopJava(c.heap, c.quick),
		"org.apache.hadoop.hbase.regionserver.HRegionServer",
		"-D", fmt.Sprintf("hbase.regionserver.port=%d", c.state.Ports[RegionServer(i)]), "start"))
}

// zooKeeperReady waits until ZooKeeper reports what it is.
func (c *Cluster) zooKeeperReady(ctx context.Context) error {
	return until(ctx, readyPoll, func() error {
		if err := c.allRun(ZooKeeper); err != nil {
			return err
		}
		conn, err := net.DialTimeout("tcp", c.ZooKeeper(), readyCall)
		if err != nil {
			return fmt.Errorf("zookeeper is not ready: %w", err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(readyCall)); err != nil {
			return err
		}
		if _, err := conn.Write([]byte("srvr")); err != nil {
			return fmt.Errorf("zookeeper is not ready: %w", err)
		}
		said, err := io.ReadAll(conn)
		if err == nil && !strings.Contains(string(said), "Mode:") {
			err = fmt.Errorf("it says %q", said)
		}
		if err != nil {
			return fmt.Errorf("zookeeper is not ready: %w", err)
		}
		return nil
	})
}

// noTable is a table that nobody has.
const noTable = "speedlayer_devcluster_check"

// hbaseReady waits until the master does what it is asked: to disable a table
// that is not there. That it lists tables is too early.
//
// gohbase's admin client cannot be closed (Close panics), so its connection to
// the master stays until one of both ends; it is one for all tries.
func (c *Cluster) hbaseReady(ctx context.Context) error {
	logrus.SetOutput(io.Discard) // gohbase says there what it says in its errors too
	client := gohbase.NewAdminClient(c.ZooKeeper())
	return until(ctx, readyPoll, func() error {
		if err := c.allRun(Master, "regionserver-"); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, readyCall)
		defer cancel()
		err := client.DisableTable(hrpc.NewDisableTable(ctx, []byte(noTable)))
		switch {
		case err == nil:
			return final{fmt.Errorf("hbase has disabled %s, which is not there", noTable)}
		case strings.Contains(err.Error(), "TableNotFoundException"):
			return nil
		}
		return fmt.Errorf("hbase is not ready: %w", err)
	})
}
