package hbase

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"speedlayer/store"
	"speedlayer/store/storetest"
)

// The tests named TestCluster need a real HBase.

// whereHBase is the environment's variable that says where it is, as
// hbase://ZK:PORT/ZNODE; its tables are left behind.
const whereHBase = "SPEEDLAYER_TEST_HBASE"

// options are those of the HBase to test with, under a prefix of their own.
func options(t testing.TB) Options {
	t.Helper()
	where := os.Getenv(whereHBase)
	if where == "" {
		if inCI, _ := strconv.ParseBool(os.Getenv("CI")); inCI {
			t.Fatalf("%s does not say where HBase is", whereHBase)
		}
		t.Skipf("no HBase to test with: set %s=hbase://ZK:PORT/ZNODE", whereHBase)
	}
	o, err := ParseURL(where)
	if err != nil {
		t.Fatal(err)
	}
	o.Prefix = fresh()
	return o
}

var made atomic.Int64

// fresh is a prefix that no test had before.
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
