package hbase

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
	"speedlayer/store"
	"speedlayer/store/storetest"
)

// The tests named TestCluster need a real HBase. They share one.
var cluster = clustertest.Shared{Options: devcluster.Options{HBase: true, RegionServers: 2}}

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// options are those of the HBase to test with, under a prefix of their own.
func options(t testing.TB) Options {
	t.Helper()
	o, err := ParseURL("hbase://" + cluster.Get(t).ZooKeeper() + "/hbase")
	if err != nil {
		t.Fatal(err)
	}
	o.Prefix = fresh()
	return o
}

var made atomic.Int64

// fresh returns a prefix that no other test has used.
func fresh() string { return fmt.Sprintf("test%x_%d", time.Now().UnixMilli(), made.Add(1)) }

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestClusterConformance(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) store.Store { return open(t, options(t)) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			o := s.(*Store).opts
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, o)
		},
	})
}
