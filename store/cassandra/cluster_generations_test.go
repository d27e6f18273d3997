package cassandra

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"speedlayer/store"
)

// pageCell is a cell of generation g.
func pageCell(g uint32, url string, version int64) store.Cell {
	return store.Cell{Key: store.Key{Generation: g, View: 1, URL: url, Hour: 400_000}, Version: version, Value: []byte("x")}
}

func batchOf(partition int32, end int64, cells ...store.Cell) *store.Batch {
	return &store.Batch{Shard: store.Shard{Partition: partition}, Cells: cells, Commit: store.Commit{Offset: end, Record: []byte("r")}}
}

// Zombies put into a generation while another process drops it, and after. Each of
// their puts ends, none is an error, and no cell reappears. A table that is missing
// without a drop is a fault: the shard waits, and its commit stays where it is, unless
// the generation is below the lowest in the list of the pointer.
func TestClusterTableGone(t *testing.T) {
	ctx := t.Context()
	o := options(t)
	owner, zombie := open(t, o), open(t, o)
	for g := range uint32(3) {
		must(t, owner.CreateGeneration(ctx, g))
	}
	var dropped atomic.Bool
	var zombies errgroup.Group
	for p := range int32(3) {
		zombies.Go(func() error {
			after := 0
			for v := int64(1); after < 3; v++ {
				gone := dropped.Load()
				if err := zombie.Apply(ctx, batchOf(p, v, pageCell(0, fmt.Sprint("z/", v%50), v))); err != nil {
					return fmt.Errorf("partition %d, put %d: %w", p, v, err)
				}
				if gone {
					after++
				}
			}
			return nil
		})
	}
	must(t, owner.Apply(ctx, batchOf(9, 1, pageCell(0, "a/", 1), pageCell(1, "b/", 1), pageCell(2, "b/", 1))))
	must(t, owner.DropGeneration(ctx, 0))
	dropped.Store(true)
	must(t, zombies.Wait())
	for _, s := range []*Store{owner, zombie} {
		must(t, s.Cells(ctx, store.Shard{}, []store.Key{pageCell(0, "z/1", 0).Key}, func(int, int64, []byte) error {
			t.Error("a cell of a dropped generation is found")
			return nil
		}))
	}

	s, id := owner, store.Shard{Partition: 9}
	must(t, s.SwapPointer(ctx, 0, store.Pointer{Counter: 1, Next: 3, Generations: []uint32{1, 2}}))
	must(t, s.dropTable(ctx, cellsTable(1)))
	if err := s.Apply(ctx, batchOf(9, 2, pageCell(1, "b/", 2), pageCell(2, "b/", 2))); !errors.Is(err, store.ErrNoGeneration) {
		t.Errorf("a put to a table that is gone: %v", err)
	}
	if c, _, err := s.Commit(ctx, id); err != nil || c.Offset != 1 {
		t.Errorf("commit at %d, %v: the batch that failed must not be committed", c.Offset, err)
	}
	if err := s.Cells(ctx, id, []store.Key{pageCell(1, "b/", 0).Key}, nil); !errors.Is(err, store.ErrNoGeneration) {
		t.Errorf("a look-up in a table that is gone: %v", err)
	}
	r, err := s.Read(ctx)
	must(t, err)
	if err := r.Scan(ctx, store.Range{Generation: 1, View: 1, Prefix: true, To: 1 << 30}, nil); !errors.Is(err, store.ErrNoGeneration) {
		t.Errorf("a scan of a table that is gone: %v", err)
	}
	must(t, s.SwapPointer(ctx, 1, store.Pointer{Counter: 2, Next: 3, Generations: []uint32{2}}))
	must(t, s.Apply(ctx, batchOf(9, 2, pageCell(1, "b/", 2), pageCell(2, "b/", 2))))
	must(t, s.Close())
	must(t, s.Close())
	for _, err := range []error{s.Apply(ctx, batchOf(0, 9, pageCell(2, "a/", 9))), s.CreateGeneration(ctx, 7), s.DropGeneration(ctx, 2)} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("a closed store: %v", err)
		}
	}
}
