package cassandra

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
	"speedlayer/store"
	"speedlayer/store/storetest"
)

// The tests named TestCluster need a real Cassandra. They share one, which asks for a
// password.
var cluster = clustertest.Shared{Options: devcluster.Options{Cassandra: true, CassandraAuth: true}}

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// options are those of the Cassandra to test with, with a keyspace of their own.
func options(t testing.TB) Options { return optionsOf(t, cluster.Get(t)) }

func optionsOf(t testing.TB, c *devcluster.Cluster) Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(devcluster.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := ParseURL("cassandra://" + c.CassandraNodes()[0] + "/" + fresh() + "?user=" + devcluster.User + "&password-file=" + url.QueryEscape(file))
	if err != nil {
		t.Fatal(err)
	}
	o.openTime = time.Minute // how long it takes is TestClusterStart's
	return o
}

var made atomic.Int64

// fresh returns a keyspace that no other test has used.
func fresh() string { return fmt.Sprintf("test%x_%d", time.Now().UnixMilli(), made.Add(1)) }

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
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
