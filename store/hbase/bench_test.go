package hbase

import (
	"fmt"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"speedlayer/store"
)

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

// BenchmarkClusterApply has one shard for each owner write batches of the same
// pages beside each other, as processors do.
func BenchmarkClusterApply(b *testing.B) {
	for _, durability := range []string{"fsync", "hflush"} {
		for _, c := range []struct{ owners, rows int }{{1, 1}, {1, 100}, {4, 100}, {4, 2500}, {4, 10_000}} {
			b.Run(fmt.Sprintf("%s/owners=%d/rows=%d", durability, c.owners, c.rows), func(b *testing.B) {
				o := options(b) // go test -bench Cluster ./store/hbase
				o.Durability = durability
				s := open(b, o)
				defer s.Close()
				if err := s.CreateGeneration(b.Context(), 0); err != nil {
					b.Fatal(err)
				}
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
					if err := all.Wait(); err != nil {
						b.Fatal(err)
					}
				}
				apply() // finds the regions
				for b.Loop() {
					apply()
					rows += c.owners * c.rows
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(2*rows)/b.Elapsed().Seconds(), "cells/s")
			})
		}
	}
}
