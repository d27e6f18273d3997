package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"speedlayer/node"
	"speedlayer/store"
	"speedlayer/store/cassandra"
	"speedlayer/store/hbase"
)

// clusterFlags say what of the system this process is, and where the rest is.
type clusterFlags struct {
	kafka                  kafkaFlags
	store                  string
	roles                  []string
	group                  string
	session                time.Duration
	replication, minInsync int16
}

func (c *clusterFlags) add(flags *pflag.FlagSet) {
	c.kafka.add(flags, "of a cluster, in place of the embedded queue")
	flags.StringVar(&c.store, "store", "", "`URL` of the store, in place of the one in --data: "+storeForms)
	flags.StringSliceVar(&c.roles, "roles", strings.Split(node.AllRoles.String(), ","), "what this process does: any of collector, processor, query")
	flags.StringVar(&c.group, "group", "speedlayer", "`NAME` of the consumer group of all processors that share the store")
	flags.DurationVar(&c.session, "session-timeout", 6*time.Second, "silence of a processor after which others take its partitions over")
	flags.Int16Var(&c.replication, "replication", -1, "replicas of topics that are made, and needed of those that are there; -1 is the cluster's default")
	flags.Int16Var(&c.minInsync, "min-insync", 0, "min.insync.replicas of such topics; 0 is the cluster's default")
}

// apply checks the flags and sets what they say.
func (c *clusterFlags) apply(n *node.Config) (err error) {
	if n.Roles, err = node.ParseRoles(c.roles); err != nil {
		return usagef("--%w", err)
	}
	if n.Kafka, err = c.kafka.config(); err != nil {
		return err
	}
	if err := c.applyStore(n); err != nil {
		return err
	}
	switch {
	case n.Roles != node.AllRoles && (len(n.Kafka.Brokers) == 0 || n.OpenStore == nil):
		return usagef("--roles %s: a process that is not all of it needs a queue and a store that it shares, so --kafka HOST:PORT,... and --store %s", n.Roles, sharedForm)
	case len(n.Kafka.Brokers) > 0 && n.MaxLogBytes > 0:
		return usagef("--max-log-size is for the embedded queue: on a cluster, set retention.ms or retention.bytes of the topic pageviews")
	case c.replication < -1 || c.replication == 0:
		return usagef("--replication %d: allowed is 1 or more, or -1 for the cluster's default", c.replication)
	case c.minInsync < 0 || c.replication > 0 && c.minInsync > c.replication:
		return usagef("--min-insync %d: allowed is 1 to --replication, or 0 for the cluster's default", c.minInsync)
	case len(n.Kafka.Brokers) == 0 && (c.replication != -1 || c.minInsync != 0):
		return usagef("--replication and --min-insync are for --kafka: the embedded queue has one copy")
	case c.session < time.Second || c.session > 5*time.Minute:
		return usagef("--session-timeout %v: allowed is 1s to 5m, and what the brokers allow (6s to 30m by default)", c.session)
	case c.group == "":
		return usagef("--group is empty: allowed is a name")
	}
	n.Kafka.Replication, n.Kafka.MinInsync = c.replication, c.minInsync
	n.Group, n.SessionTimeout = c.group, c.session
	return nil
}

// What --store takes.
const (
	storeForms = "hbase://ZK1:2181,ZK2:2181/hbase?prefix=speedlayer, cassandra://HOST1:9042,HOST2:9042/KEYSPACE?dc=datacenter1 or pebble:///DIR"
	sharedForm = "hbase://... or cassandra://... (see --store)"
)

// applyStore opens nothing yet.
func (c *clusterFlags) applyStore(n *node.Config) error {
	scheme, rest, _ := strings.Cut(c.store, "://")
	switch {
	case c.store == "":
		return nil
	case scheme == "pebble" && strings.Trim(rest, "/") != "":
		n.Data = rest
		return nil
	case scheme == "hbase":
		o, err := hbase.ParseURL(c.store)
		if err != nil {
			return usagef("--store %w", err)
		}
		o.Logger = n.Logger
		n.StoreName = c.store
		n.OpenStore = func(ctx context.Context) (store.Store, error) { return notNil(hbase.Open(ctx, o)) }
		return nil
	case scheme == "cassandra":
		o, err := cassandra.ParseURL(c.store)
		if err != nil {
			return usagef("--store %w", err)
		}
		o.Logger = n.Logger
		n.StoreName = c.store
		n.OpenStore = func(ctx context.Context) (store.Store, error) { return notNil(cassandra.Open(ctx, o)) }
		return nil
	}
	return usagef("--store %q: allowed is %s", c.store, storeForms)
}

// notNil makes no store of a pointer that is nil.
func notNil[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
