package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/node"
	"speedlayer/queue"
	"speedlayer/store"
)

// rowRate is what a store takes when nothing else is done.
type rowRate struct{ events, rows float64 } // a second

// rowsOnly measures how fast HBase takes the same rows with nothing else: what
// processors in this process put is kept, and then put again into another store,
// a batch of each partition at a time, as they do.
func (c *servers) rowsOnly(ctx context.Context, ends []int64) (r rowRate, err error) {
	batches, err := c.record(ctx, ends)
	if err != nil {
		return r, err
	}
	st, err := c.openStore(ctx, "rows")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.CreateGeneration(ctx, 0); err != nil {
		return r, err
	}
	var all errgroup.Group
	began := time.Now()
	for _, of := range batches {
		all.Go(func() error {
			for i := range of {
				if err := st.Apply(ctx, &of[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = all.Wait()
	took := time.Since(began).Seconds()
	err = errors.Join(err, st.DropGeneration(ctx, 0)) // what follows has the servers for itself
	return rowRate{events: float64(sum(ends)) / took, rows: float64(st.Rows()) / took}, err
}

// record runs a processor in this process over the whole log, and returns what
// they put, by partition.
func (c *servers) record(ctx context.Context, ends []int64) (_ [][]store.Batch, err error) {
	c.o.Progress("  keeping the rows")
	st, err := c.openStore(ctx, "record")
	if err != nil {
		return nil, err
	}
	rec := &recorder{Store: st, batches: make([][]store.Batch, partitions)}
	dir, err := freshDir(c.o, "record")
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	n, err := node.Open(ctx, node.Config{Data: dir, Kafka: queue.Config{Brokers: c.cluster.Brokers()}, Partitions: partitions, Group: "record",
		Roles: node.RoleProcessor, OpenStore: func(context.Context) (store.Store, error) { return rec, nil }, Logger: c.o.Logger})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }() // the store, too
	if err := n.CatchUp(ctx); err != nil {
		return nil, err
	}
	if rec.cells() == 0 {
		return nil, fmt.Errorf("nothing was put: the measurement is void")
	}
	return rec.batches, st.DropGeneration(ctx, 0)
}

// recorder is a store that keeps what is applied to it.
type recorder struct {
	store.Store
	mu      sync.Mutex
	batches [][]store.Batch
}

// Deltas implements store.TakesDeltas.
func (r *recorder) Deltas() int { return store.Deltas(r.Store) }

// ChunkBytes implements store.Chunking.
func (r *recorder) ChunkBytes() int { return store.ChunkBytes(r.Store) }

// Apply implements store.Writer. The batch is the caller's, so all of it is copied.
func (r *recorder) Apply(ctx context.Context, b *store.Batch) error {
	if err := r.Store.Apply(ctx, b); err != nil {
		return err
	}
	kept := *b
	kept.Cells = make([]store.Cell, len(b.Cells))
	size := 0
	for i := range b.Cells {
		size += len(b.Cells[i].Value)
	}
	values := make([]byte, 0, size)
	for i, cell := range b.Cells {
		begin := len(values)
		values = append(values, cell.Value...)
		cell.Value = values[begin:len(values):len(values)]
		cell.Key.URL = strings.Clone(cell.Key.URL)
		kept.Cells[i] = cell
	}
	kept.Commit.Record = append([]byte(nil), b.Commit.Record...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches[b.Shard.Partition] = append(r.batches[b.Shard.Partition], kept)
	return nil
}

func (r *recorder) cells() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range r.batches {
		for i := range of {
			n += len(of[i].Cells)
		}
	}
	return n
}
