package archive_test

import (
	"fmt"
	"testing"

	"speedlayer/batch/archive"
	"speedlayer/store"
)

// benchLog is a log of one partition: some thousand pages, many persons, nonces
// like the collector's.
func benchLog(n int64) *fakeLog {
	l := newLog(1)
	for i := range n {
		x := uint64(i) * 0x9e3779b97f4a7c15
		l.viewWith(0, i, fmt.Sprintf("10.%d.%d.%d", x>>60, x>>50&255, x>>40&255), fmt.Sprintf("https://site%d.example.com/articles/%d", x>>59, x>>30&0xfff), fmt.Sprintf("%016x%016x", x, x*0xbf58476d1ce4e5b9))
	}
	l.commit()
	return l
}

func BenchmarkScan(b *testing.B) {
	const n = 1 << 20
	l := benchLog(n)
	o := openFolder(b)
	m, err := newArchiver(b, o, l).Archive(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(m.Shards[0].Files[0].Bytes)/n, "bytes/row")
	s, err := archive.New(o).Snapshot(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		err := s.Scan(b.Context(), store.Shard{}, 0, n, archive.Events, func(c *archive.Columns) error {
			rows += c.N
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(m.Shards[0].Files[0].Bytes)/n, "bytes/row")
}

func BenchmarkArchive(b *testing.B) {
	const n = 1 << 19
	l := benchLog(n)
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		if _, err := newArchiver(b, openFolder(b), l).Archive(b.Context()); err != nil {
			b.Fatal(err)
		}
		rows += n
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
