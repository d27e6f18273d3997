package hbase

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
	"speedlayer/store"
)

// mortal is a cluster whose processes a test may kill.
func mortal(t *testing.T) *devcluster.Cluster {
	t.Helper()
	if os.Getenv(clustertest.Existing) == "" {
		return cluster.Get(t)
	}
	t.Setenv(clustertest.Existing, "")
	return clustertest.Start(t, cluster.Options)
}

// writer acts as a processor as far as the store can see: it offers a batch, with
// the same bytes, until it is accepted, and then makes the next.
type writer struct {
	shard store.Shard
	acked atomic.Int64 // the last version that Apply reported as durable
	tries atomic.Int64 // failed attempts
}

// faultURLs is the number of cells in a writer's batch.
const faultURLs = 200

func (w *writer) cells(version int64) (cells []store.Cell) {
	for i := range faultURLs {
		cells = append(cells, store.Cell{Key: store.Key{View: 1, URL: fmt.Sprintf("page/%03d", i), Hour: 400_000},
			Version: version, Value: fmt.Append(nil, w.shard, version)})
	}
	return cells
}

func (w *writer) run(ctx context.Context, s *Store) error {
	for v := w.acked.Load() + 1; ; v++ {
		b := &store.Batch{Shard: w.shard, Cells: w.cells(v), Commit: store.Commit{Offset: v, Record: fmt.Append(nil, v)}}
		for {
			err := s.Apply(ctx, b)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return nil
			}
			w.tries.Add(1)
		}
		w.acked.Store(v)
	}
}

// Region servers and the master are killed under load. Every put ends, everything
// continues in time, and afterwards all acknowledged cells are there, of one version.
func TestClusterFaults(t *testing.T) {
	c := mortal(t)
	o, err := ParseURL("hbase://" + c.ZooKeeper() + "/hbase")
	must(t, err)
	o.Prefix = fresh()
	s := open(t, o)
	defer s.Close()
	must(t, s.CreateGeneration(t.Context(), 0))
	writers := make([]*writer, 3)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all errgroup.Group
	for i := range writers {
		writers[i] = &writer{shard: store.Shard{Partition: int32(i)}}
		all.Go(func() error { return writers[i].run(ctx, s) })
	}
	goOn(t, writers, "at first")
	for _, victims := range [][]string{{devcluster.RegionServer(1)}, {devcluster.RegionServer(2)}, {devcluster.Master},
		{devcluster.RegionServer(1), devcluster.RegionServer(2), devcluster.Master}} {
		for _, v := range victims {
			must(t, c.Kill(v))
		}
		if len(victims) == 1 && victims[0] != devcluster.Master {
			goOn(t, writers, fmt.Sprintf("with %v killed", victims))
		}
		for _, v := range victims {
			must(t, c.Launch(v))
		}
		must(t, c.Ready(t.Context()))
		goOn(t, writers, fmt.Sprintf("with %v started again", victims))
	}
	stop()
	must(t, all.Wait())
	t.Logf("%+v of the client", s.Faults())
	check(t, open(t, o), writers)
}

// goOn waits until each writer has had five more batches acknowledged.
func goOn(t *testing.T, writers []*writer, when string) {
	t.Helper()
	const limit = 90 * time.Second
	began := time.Now()
	for _, w := range writers {
		for from := w.acked.Load(); w.acked.Load() < from+5; time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > limit {
				t.Fatalf("%s: %v does not go on within %v (%d tries failed)", when, w.shard, limit, w.tries.Load())
			}
		}
	}
	t.Logf("%s: goes on after %v", when, time.Since(began).Round(100*time.Millisecond))
}

// check compares all cells with what was acknowledged. A batch that was offered
// but not acknowledged may be partly stored, with a version higher by one.
func check(t *testing.T, s *Store, writers []*writer) {
	t.Helper()
	ctx := t.Context()
	defer s.Close()
	r, err := s.Read(ctx)
	must(t, err)
	found := map[store.Shard]int{}
	must(t, r.Scan(ctx, store.Range{View: 1, Prefix: true, To: 1 << 30}, func(c *store.ScanCell) error {
		acked := writers[c.Shard.Partition].acked.Load()
		if c.Version != acked && c.Version != acked+1 || string(c.Value) != string(fmt.Append(nil, c.Shard, c.Version)) {
			t.Errorf("%s of %v: %q at %d, acknowledged was %d", c.URL, c.Shard, c.Value, c.Version, acked)
		}
		found[c.Shard]++
		return nil
	}))
	for _, w := range writers {
		acked := w.acked.Load()
		t.Logf("%v: %d batches acknowledged, %d tries failed", w.shard, acked, w.tries.Load())
		if found[w.shard] != faultURLs {
			t.Errorf("%v: %d cells, want %d", w.shard, found[w.shard], faultURLs)
		}
		if c, _, err := s.Commit(ctx, w.shard); err != nil || c.Offset != acked && c.Offset != acked+1 {
			t.Errorf("%v: commit at %d, %v; acknowledged was %d", w.shard, c.Offset, err, acked)
		}
	}
}
