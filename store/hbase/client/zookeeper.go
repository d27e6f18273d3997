package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/tsuna/gohbase/pb"
	"google.golang.org/protobuf/proto"
)

// A node of HBase's in ZooKeeper:
//
//	0xFF | length u32 | metadata | "PBUF" | message
const nodeMagic = "PBUF"

// errNoMaster: HBase is there, and no master is active.
var errNoMaster = errors.New("no master is active")

// zookeeper calls fn with a connection, for as long as ctx lasts. The library
// knows no contexts: against a server that takes connections and says nothing it
// waits for ever, even when it is closed. So fn has a goroutine of its own, and
// at the end the sockets are closed under it.
func (o *Options) zookeeper(ctx context.Context, fn func(c *zk.Conn) error) error {
	at := strings.Join(o.Quorum, ",")
	for _, a := range o.Quorum {
		host, _, _ := net.SplitHostPort(a)
		if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
			return fmt.Errorf("host %q of ZooKeeper is not known: %w", host, err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, _, err := zk.Connect(o.Quorum, 10*time.Second, zk.WithDialer(func(network, address string, timeout time.Duration) (net.Conn, error) {
		d := net.Dialer{Timeout: timeout}
		conn, err := d.DialContext(ctx, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}))
	if err != nil {
		return fmt.Errorf("ZooKeeper at %s: %w", at, err)
	}
	defer func() { go c.Close() }()
	done := make(chan error, 1)
	go func() { done <- fn(c) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil && (ctx.Err() != nil || errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrConnectionClosed)) {
		return fmt.Errorf("no answer from ZooKeeper at %s: %w", at, err)
	}
	return err
}

// locateMaster reads where the active master listens.
func (o *Options) locateMaster(ctx context.Context) (addr string, err error) {
	err = o.zookeeper(ctx, func(c *zk.Conn) error {
		b, _, err := c.Get(path.Join(o.ZNode, "master"))
		if errors.Is(err, zk.ErrNoNode) {
			return o.noNode(c)
		}
		if err != nil {
			return fmt.Errorf("ZooKeeper at %s: %w", strings.Join(o.Quorum, ","), err)
		}
		var m pb.Master
		if err := parseNode(b, &m); err != nil {
			return fmt.Errorf("node %s/master in ZooKeeper: %w", o.ZNode, err)
		}
		addr = net.JoinHostPort(m.Master.GetHostName(), strconv.Itoa(int(m.Master.GetPort())))
		return nil
	})
	return addr, err
}

// noNode reports why there is no master's node: HBase is somewhere else, or has no
// master now.
func (o *Options) noNode(c *zk.Conn) error {
	if there, _, err := c.Exists(path.Join(o.ZNode, "hbaseid")); err == nil && there {
		return errNoMaster
	}
	children, _, err := c.Children("/")
	if err != nil {
		return fmt.Errorf("ZooKeeper at %s: %w", strings.Join(o.Quorum, ","), err)
	}
	var found []string
	for _, child := range children {
		if there, _, err := c.Exists("/" + child + "/hbaseid"); err == nil && there {
			found = append(found, "/"+child)
		}
	}
	if len(found) == 0 {
		return errNoHBase{fmt.Sprintf("no HBase under %s in ZooKeeper at %s, nor under another path", o.ZNode, strings.Join(o.Quorum, ","))}
	}
	return errNoHBase{fmt.Sprintf("no HBase under %s in ZooKeeper at %s; there is one under %s", o.ZNode, strings.Join(o.Quorum, ","), strings.Join(found, ", "))}
}

// errNoHBase: the path in ZooKeeper is wrong, or HBase was never started.
type errNoHBase struct{ text string }

func (e errNoHBase) Error() string { return e.text }

// parseNode reads a node's message. gohbase would end the process on an empty one.
func parseNode(b []byte, m proto.Message) error {
	if len(b) < 5 || b[0] != 0xff {
		return fmt.Errorf("%d bytes that are no node of HBase", len(b))
	}
	n := uint64(binary.BigEndian.Uint32(b[1:]))
	if uint64(len(b)) < 5+n+4 || string(b[5+n:5+n+4]) != nodeMagic {
		return fmt.Errorf("%d bytes that are no node of HBase", len(b))
	}
	if err := proto.Unmarshal(b[5+n+4:], m); err != nil {
		return fmt.Errorf("not readable: %w", err)
	}
	return nil
}
