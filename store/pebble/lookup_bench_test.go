package pebble

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"speedlayer/crdt"
	"speedlayer/store"
)

// BenchmarkCells looks up cells as a processor does after a takeover: pages of
// eight partitions, sorted, of which three quarters exist.
func BenchmarkCells(b *testing.B) {
	st, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	ctx := context.Background()
	if err := st.CreateGeneration(ctx, 0); err != nil {
		b.Fatal(err)
	}
	const pages = 30_000
	for n := range 5 {
		for part := range int32(8) {
			batch := store.Batch{Shard: store.Shard{Partition: part}, Commit: store.Commit{Offset: int64(n + 1)}}
			for p := range pages {
				var v crdt.Visitors
				for m := range 20 * (n + 1) {
					v.Add(uint64(p*1_000_003+m) * 0x9e3779b97f4a7c15)
				}
				batch.Cells = append(batch.Cells, store.Cell{Key: page(p), Version: int64(n + 1), Value: v.Append(nil)})
			}
			slices.SortFunc(batch.Cells, func(a, b store.Cell) int { return a.Key.Compare(b.Key) })
			if err := st.Apply(ctx, &batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	const most = 4000
	b.ResetTimer()
	for b.Loop() {
		keys := make([]store.Key, 0, most)
		for range most {
			keys = append(keys, page(r.IntN(pages*4/3)))
		}
		slices.SortFunc(keys, store.Key.Compare)
		keys = slices.Compact(keys)
		if err := st.Cells(ctx, store.Shard{Partition: 3}, keys, func(int, int64, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/most, "ns/key")
}

func page(n int) store.Key {
	return store.Key{View: 2, URL: fmt.Sprintf("site-%d.example/articles/%07d", n%100, n), Hour: 490_000}
}
