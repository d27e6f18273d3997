package cassandra

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"speedlayer/store"
)

// These benchmarks do what those of store/hbase do, so that both can be compared in one
// run: go test -p 1 -run '^$' -bench Cluster ./store/hbase ./store/cassandra

// pages are cells of two views for each of n pages.
func pages(n int, version int64) (cells []store.Cell) {
	cells = make([]store.Cell, 0, 2*n)
	for v := store.ViewID(1); v <= 2; v++ {
		for i := range n {
			cells = append(cells, store.Cell{Key: store.Key{View: v, URL: fmt.Sprintf("example.com/pages/%06d", i), Hour: 400_000},
				Version: version, Value: make([]byte, 8*int(v))})
		}
	}
	return cells
}

// BenchmarkClusterApply has one shard for each owner write batches of the same pages in
// parallel, as processors do.
func BenchmarkClusterApply(b *testing.B) {
	for _, c := range []struct{ owners, rows int }{{1, 1}, {1, 100}, {4, 100}, {4, 2500}, {4, 10_000}} {
		b.Run(fmt.Sprintf("owners=%d/rows=%d", c.owners, c.rows), func(b *testing.B) {
			s := open(b, options(b))
			must(b, s.CreateGeneration(b.Context(), 0))
			var at atomic.Int64
			var rows int
			apply := func() {
				var all errgroup.Group
				for p := range c.owners {
					all.Go(func() error {
						end := at.Add(1)
						return s.Apply(b.Context(), &store.Batch{Shard: store.Shard{Partition: int32(p)}, Cells: pages(c.rows, end), Commit: store.Commit{Offset: end}})
					})
				}
				must(b, all.Wait())
			}
			apply() // prepares the statements
			for b.Loop() {
				apply()
				rows += c.owners * c.rows
			}
			b.ReportMetric(float64(2*rows)/b.Elapsed().Seconds(), "cells/s")
		})
	}
}

// BenchmarkClusterCells looks up cells as a processor does after a takeover: random
// pages of one shard, from a table in which all shards have written the cells of the
// hour again and again, some of them since the last flush.
func BenchmarkClusterCells(b *testing.B) {
	const n, shards, rounds, together = 20_000, 8, 12, 5_000
	s := open(b, options(b))
	must(b, s.CreateGeneration(b.Context(), 0))
	for round := range int64(rounds) {
		var all errgroup.Group
		all.SetLimit(4)
		for p := range int32(shards) {
			all.Go(func() error {
				cells := pages(n, round+1)
				for i := range cells[n:] {
					cells[n+i].Value = make([]byte, 400)
				}
				return s.Apply(b.Context(), &store.Batch{Shard: store.Shard{Partition: p}, Cells: cells, Commit: store.Commit{Offset: round + 1}})
			})
		}
		must(b, all.Wait())
	}
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]store.Key, 0, 2*together)
	looked := 0
	for b.Loop() {
		some := r.Perm(n)[:together]
		slices.Sort(some)
		keys = keys[:0]
		for v := store.ViewID(1); v <= 2; v++ {
			for _, i := range some {
				keys = append(keys, store.Key{View: v, URL: fmt.Sprintf("example.com/pages/%06d", i), Hour: 400_000})
			}
		}
		found := 0
		err := s.Cells(b.Context(), store.Shard{Partition: r.Int32N(shards)}, keys, func(int, int64, []byte) error { found++; return nil })
		if err != nil || found != len(keys) {
			b.Fatal(found, err)
		}
		looked += found
	}
	b.ReportMetric(float64(looked)/b.Elapsed().Seconds(), "cells/s")
}
