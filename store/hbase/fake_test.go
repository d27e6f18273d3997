package hbase

import (
	"log/slog"
	"testing"

	"github.com/tsuna/gohbase"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// faked returns a store whose requests go to a client made by the test. The tests
// named TestCluster use the real server. This is for its behaviour at moments that
// a test cannot choose.
func faked(t *testing.T, to gohbase.Client) *Store {
	t.Helper()
	o, err := Options{Quorum: []string{"127.0.0.1:1"}, Logger: slog.New(slog.DiscardHandler)}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{opts: o, names: names{"p"}, client: client.Over(o.client(), to)}
	s.mu.generations = make(map[uint32]string)
	s.mu.pending = make(map[store.Shard]pendingSnapshot)
	s.mu.committed = make(map[store.Shard]int64)
	return s
}
