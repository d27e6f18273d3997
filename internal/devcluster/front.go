package devcluster

import (
	"fmt"
	"net"
	"strconv"
)

// What stands in front of a server has a port of its own, and a broker has one
// more behind it: brokers tell clients where to go by the port they came on.
func frontName(server string) string  { return server + " front" }
func behindName(server string) string { return server + " behind" }

// frontHost is the host by which clients find region servers behind a front: a
// client is told host and port, so the front has the same port on another
// address of the loopback.
const frontHost = "127.0.0.2"

// wantFront gives a server's front its ports, if fronts are wanted.
func (c *Cluster) wantFront(server string, behind bool) error {
	if c.front == nil {
		delete(c.state.Ports, frontName(server)) // of an earlier start
		return nil
	}
	if err := c.state.Ports.want(frontName(server), 0, ""); err != nil {
		return err
	}
	if !behind {
		return nil
	}
	return c.state.Ports.want(behindName(server), 0, "")
}

// makeFronts has the fronts made.
func (c *Cluster) makeFronts(o Options) error {
	if c.front == nil {
		return nil
	}
	make := func(name, listen, upstream string) error {
		if err := c.front(name, listen, upstream); err != nil {
			return fmt.Errorf("front of %s: %w", name, err)
		}
		return nil
	}
	for i := 1; o.Kafka && i <= o.Brokers; i++ {
		name := kafkaName(i)
		if err := make(name, c.state.Ports.address(frontName(name)), c.state.Ports.address(behindName(name))); err != nil {
			return err
		}
	}
	for i := 1; o.Cassandra && i <= o.CassandraNodes; i++ {
		if err := make(CassandraNode(i), c.FrontCassandraNodes()[i-1], c.CassandraNodes()[i-1]); err != nil {
			return err
		}
	}
	if !o.HBase {
		return nil
	}
	for i := 1; i <= o.RegionServers; i++ {
		name := RegionServer(i)
		listen := net.JoinHostPort(frontHost, strconv.Itoa(c.state.Ports[name]))
		if err := make(name, listen, c.state.Ports.address(name)); err != nil {
			return err
		}
	}
	return make(ZooKeeper, c.FrontZooKeeper(), c.ZooKeeper())
}

func (c *Cluster) regionServerHost() string {
	if c.front != nil {
		return frontHost
	}
	return "localhost"
}

// FrontBrokers are the addresses of what stands in front of the brokers.
func (c *Cluster) FrontBrokers() []string {
	return c.addresses(c.state.Kafka, func(i int) string { return frontName(kafkaName(i)) })
}

// FrontZooKeeper is the address of what stands in front of ZooKeeper, which
// leads to the fronts of the region servers.
func (c *Cluster) FrontZooKeeper() string { return c.state.Ports.address(frontName(ZooKeeper)) }
