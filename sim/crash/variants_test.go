package crash

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"speedlayer/store"
)

// The harness must notice each of these stores: each breaks one law.
func TestBrokenStoresAreNoticed(t *testing.T) {
	for name, v := range map[string]Variant{
		"no sync at all":                    {NoSync: true},
		"chunks of snapshots not synced":    {Skip: func(path string) bool { return strings.HasSuffix(path, ".tmp") }},
		"directory of snapshots not synced": {Skip: func(path string) bool { return strings.HasSuffix(path, "/snapshots") }},
		"log of the store not synced":       {Skip: func(path string) bool { return strings.HasSuffix(path, ".log") }},
		"commit before its cells":           {Wrap: func(s store.Store) store.Store { return newEager(s) }},
		"a put is answered and not done":    {Wrap: func(s store.Store) store.Store { return &dropping{Store: s} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r Report
			for s := *seed; r.Points < 1000; s++ {
				if err := Run(World{Seed: s, Cuts: cutsAWorld, Variant: v}, &r); err != nil {
					if r.Points == 0 && name != "a put is answered and not done" {
						t.Errorf("noticed without a cut, so by something else: %v", err)
					}
					t.Logf("noticed after %d cuts: %v", r.Points, err)
					return
				}
			}
			t.Errorf("not noticed in %d cuts from seed %d on", r.Points, *seed)
		})
	}
}

// eager commits before it writes the cells: they go with the next batch. Until
// then it answers reads from memory, so only a crash shows it.
type eager struct {
	store.Store
	late map[store.Shard]map[store.Key]store.Cell
}

func newEager(s store.Store) *eager {
	return &eager{s, map[store.Shard]map[store.Key]store.Cell{}}
}

func (e *eager) Apply(ctx context.Context, b *store.Batch) error {
	late := e.late[b.Shard]
	have, found, err := e.Store.Commit(ctx, b.Shard)
	if err != nil || found && have.Offset >= b.Commit.Offset {
		return err
	}
	early := *b
	early.Cells = slices.SortedFunc(maps.Values(late), func(x, y store.Cell) int { return x.Key.Compare(y.Key) })
	if err := e.Store.Apply(ctx, &early); err != nil {
		return err
	}
	e.late[b.Shard] = map[store.Key]store.Cell{}
	for _, c := range b.Cells {
		c.Value = slices.Clone(c.Value)
		c.Key.URL = strings.Clone(c.Key.URL)
		e.late[b.Shard][c.Key] = c
	}
	return nil
}

func (e *eager) Cells(ctx context.Context, s store.Shard, keys []store.Key, fn func(int, int64, []byte) error) error {
	for i, k := range keys {
		if c, ok := e.late[s][k]; ok {
			if err := fn(i, c.Version, c.Value); err != nil {
				return err
			}
			continue
		}
		if err := e.Store.Cells(ctx, s, keys[i:i+1], func(_ int, v int64, b []byte) error { return fn(i, v, b) }); err != nil {
			return err
		}
	}
	return nil
}

// Read shows the late cells too: whoever asks a process that lives finds nothing
// amiss.
func (e *eager) Read(ctx context.Context) (store.Reader, error) {
	r, err := e.Store.Read(ctx)
	return eagerReader{r, e}, err
}

type eagerReader struct {
	store.Reader
	e *eager
}

func (r eagerReader) Scan(ctx context.Context, g store.Range, fn func(*store.ScanCell) error) error {
	seen := map[store.Shard]map[store.Key]bool{}
	at := func(s store.Shard, k store.Key) bool {
		if seen[s] == nil {
			seen[s] = map[store.Key]bool{}
		}
		seen[s][k] = true
		_, ok := r.e.late[s][k]
		return ok
	}
	give := func(s store.Shard, k store.Key) error {
		c := r.e.late[s][k]
		return fn(&store.ScanCell{URL: []byte(k.URL), Hour: k.Hour, Shard: s, Version: c.Version, Value: c.Value})
	}
	err := r.Reader.Scan(ctx, g, func(c *store.ScanCell) error {
		k := store.Key{Generation: g.Generation, View: g.View, URL: string(c.URL), Hour: c.Hour}
		if at(c.Shard, k) {
			return give(c.Shard, k)
		}
		return fn(c)
	})
	if err != nil {
		return err
	}
	for s, cells := range r.e.late {
		for k := range cells {
			if k.Generation == g.Generation && k.View == g.View && !seen[s][k] {
				if err := give(s, k); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dropping leaves the first cell out of every tenth batch.
type dropping struct {
	store.Store
	n int
}

func (d *dropping) Apply(ctx context.Context, b *store.Batch) error {
	d.n++
	if d.n%10 == 0 && len(b.Cells) > 0 {
		left := *b
		left.Cells = b.Cells[1:]
		return d.Store.Apply(ctx, &left)
	}
	return d.Store.Apply(ctx, b)
}
