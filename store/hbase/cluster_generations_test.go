package hbase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// pageCell is a cell of generation g.
func pageCell(g uint32, url string, version int64) store.Cell {
	return store.Cell{Key: store.Key{Generation: g, View: 1, URL: url, Hour: 400_000}, Version: version, Value: []byte("x")}
}

func batchOf(partition int32, end int64, cells ...store.Cell) *store.Batch {
	return &store.Batch{Shard: store.Shard{Partition: partition}, Cells: cells, Commit: store.Commit{Offset: end, Record: []byte("r")}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Zombies put into a generation while another process drops it, and after. Each
// of their puts ends, none is an error, and no cell reappears.
func TestClusterDropUnderZombies(t *testing.T) {
	ctx := t.Context()
	o := options(t)
	owner, zombie := open(t, o), open(t, o)
	defer owner.Close()
	defer zombie.Close()
	must(t, owner.CreateGeneration(ctx, 0))
	must(t, owner.CreateGeneration(ctx, 1))
	var dropped atomic.Bool
	var after [4]atomic.Int64
	var zombies errgroup.Group
	for p := range int32(4) {
		zombies.Go(func() error {
			for v := int64(1); after[p].Load() < 3; v++ {
				gone := dropped.Load()
				began := time.Now()
				if err := zombie.Apply(ctx, batchOf(p, v, pageCell(0, fmt.Sprint("z/", v%50), v))); err != nil {
					return fmt.Errorf("partition %d, put %d, %v after it began: %w", p, v, time.Since(began), err)
				}
				if gone {
					after[p].Add(1)
				}
			}
			return nil
		})
	}
	must(t, owner.Apply(ctx, batchOf(9, 1, pageCell(0, "a/", 1), pageCell(1, "b/", 1))))
	must(t, owner.DropGeneration(ctx, 0))
	dropped.Store(true)
	if err := zombies.Wait(); err != nil {
		t.Error(err)
	}
	for _, s := range []*Store{owner, zombie} {
		must(t, s.Cells(ctx, store.Shard{}, []store.Key{pageCell(0, "z/1", 0).Key}, func(int, int64, []byte) error {
			t.Error("a cell of a dropped generation is found")
			return nil
		}))
		r, err := s.Read(ctx)
		must(t, err)
		must(t, r.Scan(ctx, store.Range{Generation: 0, View: 1, Prefix: true, To: 1 << 30}, func(*store.ScanCell) error {
			t.Error("a cell of a dropped generation is scanned")
			return nil
		}))
	}
	if got := tablesOf(t, o, owner.names.cellsPrefix()); !slices.Equal(got, []string{owner.names.cells(1)}) {
		t.Errorf("tables are %v", got)
	}
}

// A table that is missing without a drop is a fault. The shard waits for it, unless
// its generation is below the lowest in the list of the pointer.
func TestClusterTableGone(t *testing.T) {
	ctx := t.Context()
	s := open(t, options(t))
	defer s.Close()
	for g := range uint32(2) {
		must(t, s.CreateGeneration(ctx, g))
	}
	must(t, s.Apply(ctx, batchOf(0, 1, pageCell(0, "a/", 1), pageCell(1, "a/", 1))))
	must(t, s.SwapPointer(ctx, 0, store.Pointer{Counter: 1, Next: 2, Generations: []uint32{0, 1}}))
	must(t, s.master.Remove(ctx, s.names.cells(0)))

	if err := s.Apply(ctx, batchOf(0, 2, pageCell(0, "a/", 2), pageCell(1, "a/", 2))); !errors.Is(err, store.ErrNoGeneration) {
		t.Errorf("a put to a table that is gone: %v", err)
	}
	if c, _, err := s.Commit(ctx, store.Shard{}); err != nil || c.Offset != 1 {
		t.Errorf("commit at %d, %v: the batch that failed must not be committed", c.Offset, err)
	}
	if err := s.Cells(ctx, store.Shard{}, []store.Key{pageCell(0, "a/", 0).Key}, nil); !errors.Is(err, store.ErrNoGeneration) {
		t.Errorf("a look-up in a table that is gone: %v", err)
	}
	r, err := s.Read(ctx)
	must(t, err)
	if err := r.Scan(ctx, store.Range{View: 1, Prefix: true, To: 1 << 30}, nil); !errors.Is(err, store.ErrNoGeneration) {
		t.Errorf("a scan of a table that is gone: %v", err)
	}
	must(t, s.SwapPointer(ctx, 1, store.Pointer{Counter: 2, Next: 2, Generations: []uint32{1}}))
	must(t, s.Apply(ctx, batchOf(0, 2, pageCell(0, "a/", 2), pageCell(1, "a/", 2))))
}

// Whichever step of creating or dropping a generation a process was killed after,
// the next process completes it.
func TestClusterHalfDone(t *testing.T) {
	ctx := t.Context()
	o := options(t)
	s := open(t, o)
	defer s.Close()
	// Killed with the tables made, and no row.
	must(t, s.create(ctx, s.names.cells(0), []string{"1"}, splits(4)))
	must(t, s.CreateGeneration(ctx, 0))
	must(t, s.Apply(ctx, batchOf(0, 1, pageCell(0, "a/", 1))))
	// Killed with the row written, and the table there.
	must(t, s.CreateGeneration(ctx, 1))
	mark(t, s, 1)
	if err := open(t, o).CreateGeneration(ctx, 1); !errors.Is(err, store.ErrDropped) {
		t.Errorf("made again: %v", err)
	}
	must(t, open(t, o).DropGeneration(ctx, 7)) // another drop removes it too
	if got := tablesOf(t, o, s.names.cellsPrefix()); !slices.Equal(got, []string{s.names.cells(0)}) {
		t.Errorf("tables are %v", got)
	}
	// Dropped between the tables and the row: the row decides.
	must(t, s.create(ctx, s.names.cells(2), []string{"1"}, nil))
	mark(t, s, 2)
	if err := s.CreateGeneration(ctx, 2); !errors.Is(err, store.ErrDropped) {
		t.Errorf("made after its drop: %v", err)
	}
}

// mark writes the row of a dropped generation and nothing else.
func mark(t *testing.T, s *Store, g uint32) {
	t.Helper()
	must(t, s.client.Put(t.Context(), s.names.control(), generationRow(g), controlFamily, client.Columns{stateColumn: []byte(stateDropped)}, client.ServerTime))
}

// Many processes create and drop the same generation at once. However it ends, row
// and table agree.
func TestClusterMadeAndDroppedAtOnce(t *testing.T) {
	ctx := t.Context()
	o := options(t)
	stores := make([]*Store, 4)
	for i := range stores {
		stores[i] = open(t, o)
		defer stores[i].Close()
	}
	var all errgroup.Group
	for i, s := range stores {
		all.Go(func() error {
			if i == 3 {
				return s.DropGeneration(ctx, 0)
			}
			if err := s.CreateGeneration(ctx, 0); err != nil && !errors.Is(err, store.ErrDropped) {
				return err
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	must(t, stores[0].DropGeneration(ctx, 0))
	if got := tablesOf(t, o, stores[0].names.cellsPrefix()); len(got) > 0 {
		t.Errorf("tables are %v", got)
	}
}

// A table of snapshots is removed when each partition of the newest log epoch has
// named a snapshot in a later table, and not before.
func TestClusterSnapshotTablesRotate(t *testing.T) {
	ctx := t.Context()
	o := options(t)
	s := open(t, o)
	defer s.Close()
	must(t, s.CreateGeneration(ctx, 0))
	must(t, s.AppendEpoch(ctx, store.Epoch{Number: 0, Partitions: 2, Starts: []int64{0, 0}}))
	snapshot := func(partition int32, offset int64) {
		t.Helper()
		id := store.Shard{Partition: partition}
		must(t, s.Apply(ctx, &store.Batch{Shard: id, Commit: store.Commit{Offset: offset}}))
		must(t, s.PutChunk(ctx, id, offset, 0, fmt.Append(nil, "state of ", partition, " at ", offset)))
		must(t, s.NameSnapshot(ctx, id, store.SnapshotName{Offset: offset, Chunks: 1}))
	}
	tables := func(want ...uint32) {
		t.Helper()
		var names []string
		for _, g := range want {
			names = append(names, s.names.state(g))
		}
		if got := tablesOf(t, o, s.names.statePrefix()); !slices.Equal(got, names) {
			t.Errorf("tables are %v, want %v", got, names)
		}
	}
	snapshot(0, 10)
	must(t, s.CreateGeneration(ctx, 1))
	must(t, s.CreateGeneration(ctx, 2))
	snapshot(0, 20) // in table 2
	must(t, s.DropGeneration(ctx, 0))
	tables(0, 1, 2) // partition 1 has none yet
	snapshot(1, 5)
	must(t, s.DropGeneration(ctx, 1))
	tables(2)
	for p, want := range map[int32]string{0: "state of 0 at 20", 1: "state of 1 at 5"} {
		id := store.Shard{Partition: p}
		n, found, err := open(t, o).Snapshot(ctx, id)
		if err != nil || !found {
			t.Fatalf("snapshot of partition %d: %v, %v", p, found, err)
		}
		if b, err := s.Chunk(ctx, id, n.Offset, 0, nil); err != nil || string(b) != want {
			t.Errorf("partition %d: %q, %v, want %q", p, b, err, want)
		}
	}
	// A process that still loads the old snapshot learns that it is gone.
	if _, err := s.Chunk(ctx, store.Shard{}, 10, 0, nil); !errors.Is(err, store.ErrNoChunk) {
		t.Errorf("a chunk in a table that went: %v", err)
	}
}

// A closed store reports that it is closed, and does not connect again.
func TestClusterClosed(t *testing.T) {
	ctx := t.Context()
	s := open(t, options(t))
	must(t, s.CreateGeneration(ctx, 0))
	must(t, s.Close())
	must(t, s.Close())
	_, _, err1 := s.Commit(ctx, store.Shard{})
	_, err2 := s.Stats(ctx)
	_, err3 := s.Read(ctx)
	for _, err := range []error{s.Apply(ctx, batchOf(0, 1, pageCell(0, "a/", 1))), err1, err2, err3, s.CreateGeneration(ctx, 1), s.DropGeneration(ctx, 0)} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%v, want %v", err, store.ErrClosed)
		}
	}
}

// A cell that HBase would refuse fails its own batch before it is sent, and no
// other batch in progress.
func TestClusterOversize(t *testing.T) {
	ctx := t.Context()
	s := open(t, options(t))
	defer s.Close()
	must(t, s.CreateGeneration(ctx, 0))
	var all errgroup.Group
	for p := range int32(8) {
		all.Go(func() error {
			for v := int64(1); v <= 20; v++ {
				c := pageCell(0, "a/", v)
				if p == 3 {
					c.Value = make([]byte, client.MaxCellBytes)
					if err := s.Apply(ctx, batchOf(p, v, c)); err == nil || errors.Is(err, context.DeadlineExceeded) {
						return fmt.Errorf("a cell of 10 MiB: %v", err)
					}
					continue
				}
				if err := s.Apply(ctx, batchOf(p, v, c, pageCell(0, "b/", v))); err != nil {
					return fmt.Errorf("partition %d: %w", p, err)
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
}
