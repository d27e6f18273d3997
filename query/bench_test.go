package query_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"speedlayer/crdt"
	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/store"
	"speedlayer/view"
)

// benchWorld has cells as eight partitions would leave them: a middle page of a
// few dozen visitors an hour for a year, and a domain whose hours are sketches
// in every shard for a day.
func benchWorld(b *testing.B, edges int) *world {
	w := newWorld(b, 8, nil)
	for i := range edges {
		w.edges.Apply(event.Edge{ID1: fmt.Sprintf("person %d", i), ID2: fmt.Sprintf("user %d", i), TS: 1})
	}
	const year = 365 * 24
	from := event.HourOf(w.now.UnixMilli()) - year
	for part := range int32(8) {
		var cells []store.Cell
		add := func(v store.ViewID, url string, hour int32, value []byte) {
			cells = append(cells, store.Cell{Key: store.Key{View: v, URL: url, Hour: hour}, Version: 1, Value: value})
		}
		for hour := from; hour < from+year; hour++ {
			var persons crdt.Visitors
			for i := range 5 {
				persons.Add(event.PersonHash(fmt.Appendf(nil, "person %d", int(hour)*3%1000+int(part)*1000+i)))
			}
			add(view.PageviewsView, "middle.com/page", hour, crdt.AppendCount(nil, 7))
			add(view.UniquesView, "middle.com/page", hour, persons.Append(nil))
		}
		for hour := from + year - 24; hour < from+year; hour++ {
			var persons crdt.Visitors
			for i := range 4000 {
				persons.Add(event.PersonHash(fmt.Appendf(nil, "person %d", int(hour)*100+int(part)*100_000+i)))
			}
			add(view.PageviewsView, "top.com", hour, crdt.AppendCount(nil, 9000))
			add(view.UniquesView, "top.com", hour, persons.Append(nil))
			persons = crdt.Visitors{}
			for i := range 2000 {
				persons.Add(event.PersonHash(fmt.Appendf(nil, "person %d", int(hour)*100+int(part)*100_000+i)))
			}
			add(view.PageviewsView, "exact.com", hour, crdt.AppendCount(nil, 3000))
			add(view.UniquesView, "exact.com", hour, persons.Append(nil))
		}
		slices.SortFunc(cells, func(x, y store.Cell) int { return x.Key.Compare(y.Key) })
		if err := w.store.Apply(b.Context(), &store.Batch{Shard: store.Shard{Partition: part}, Cells: cells,
			Commit: store.Commit{Offset: 1, Record: (&store.CommitRecord{Events: 1, LogTime: w.now.UnixMilli()}).Append(nil)}}); err != nil {
			b.Fatal(err)
		}
		w.ends[part] = 1
	}
	return w
}

// BenchmarkQuery is pageviews and uniques of one url, as the goal counts them;
// it reports the 99th percentile beside the mean.
func BenchmarkQuery(b *testing.B) {
	for _, edges := range []int{0, 100_000} {
		w := benchWorld(b, edges)
		for _, c := range []struct{ name, url, from string }{
			{"page=middle,range=24h", "middle.com/page", "now-23h"},
			{"page=middle,range=year", "middle.com/page", "now-364d"},
			{"page=exact8x2000,range=24h", "exact.com", "now-23h"},
			{"page=sketches,range=24h", "top.com", "now-23h"},
		} {
			b.Run(fmt.Sprintf("%s,edges=%d", c.name, edges), func(b *testing.B) {
				b.ReportAllocs()
				q := query.URLQuery{URL: c.url, From: c.from, To: "now"}
				var took []time.Duration
				for b.Loop() {
					begin := time.Now()
					p, err := w.engine.Pageviews(b.Context(), q)
					if err != nil || p.Pageviews == 0 {
						b.Fatal(p, err)
					}
					u, err := w.engine.Uniques(b.Context(), q)
					if err != nil || u.Visitors == 0 {
						b.Fatal(u, err)
					}
					took = append(took, time.Since(begin))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
			})
		}
	}
}

// BenchmarkDomains lists 200,000 domains of one hour, each with two pages.
func BenchmarkDomains(b *testing.B) {
	const domains = 200_000
	w := newWorld(b, 1, nil)
	hour := int32(w.now.Unix() / 3600)
	var cells []store.Cell
	for i := range domains {
		domain := fmt.Sprintf("d%06d.example", i)
		for _, url := range []string{domain, domain + "/a", domain + "/b"} {
			cells = append(cells, store.Cell{Key: store.Key{View: view.PageviewsView, URL: url, Hour: hour}, Version: 1, Value: crdt.AppendCount(nil, uint64(i%1000+1))})
		}
	}
	if err := w.store.Apply(b.Context(), &store.Batch{Cells: cells,
		Commit: store.Commit{Offset: 1, Record: (&store.CommitRecord{Events: 1, LogTime: w.now.UnixMilli()}).Append(nil)}}); err != nil {
		b.Fatal(err)
	}
	w.ends[0] = 1
	b.ReportAllocs()
	for b.Loop() {
		a, err := w.engine.Domains(b.Context(), query.DomainsQuery{From: "now-24h", To: "now+1h"})
		if err != nil || a.Total != domains {
			b.Fatal(a, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/domains, "ns/domain")
}
