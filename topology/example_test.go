package topology_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"speedlayer/topology"
)

// results runs a topology over lines and shows its results.
func results(t *topology.Topology, lines []string, show func(ctx context.Context, s *topology.Snapshot) error) {
	if err := run(t, lines, show); err != nil {
		fmt.Println(err)
	}
}

func run(t *topology.Topology, lines []string, show func(ctx context.Context, s *topology.Snapshot) error) error {
	ctx := context.Background()
	data, err := os.MkdirTemp("", "example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	job, err := topology.Run(ctx, t, topology.Config{Data: data, Partitions: 1})
	if err != nil {
		return err
	}
	defer job.Close()
	feed, err := job.Feed(ctx, "example")
	if err != nil {
		return err
	}
	defer feed.Close()
	for i, line := range lines {
		if err := feed.Append(ctx, int64(i), []byte(line)); err != nil {
			return err
		}
	}
	if err := feed.Flush(ctx); err != nil {
		return err
	}
	if err := job.Settle(ctx); err != nil {
		return err
	}
	s, err := job.Query(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return show(ctx, s)
}

func ExampleCount() {
	t := topology.New("words")
	words := topology.FlatMap(topology.Source(t, "sentences", topology.Text), "split", strings.Fields)
	counts := topology.Count(topology.By(words, "word", topology.Itself), "count")
	results(t, []string{"to be or not to be"}, func(ctx context.Context, s *topology.Snapshot) error {
		for e, err := range counts.Ranked(ctx, s, topology.Range{}) {
			if err != nil {
				return err
			}
			fmt.Println(e.Count, e.Key)
		}
		return nil
	})
	// Output:
	// 2 be
	// 2 to
	// 1 not
	// 1 or
}

func ExampleTop() {
	t := topology.New("words")
	words := topology.FlatMap(topology.Source(t, "sentences", topology.Text), "split", strings.Fields)
	counts := topology.Count(topology.By(words, "word", topology.Itself), "count")
	top := topology.Top(counts, "top", 2)
	results(t, []string{"a b c", "b c", "c"}, func(ctx context.Context, s *topology.Snapshot) error {
		list, err := top.Get(ctx, s, topology.Range{})
		fmt.Println(list)
		return err
	})
	// Output: [{c 3} {b 2}]
}

func ExampleMap() {
	t := topology.New("lengths")
	lengths := topology.Map(topology.Source(t, "lines", topology.Text), "length", func(line string) string { return strconv.Itoa(len(line)) })
	counts := topology.Count(topology.By(lengths, "by-length", topology.Itself), "count")
	results(t, []string{"one", "two", "three"}, func(ctx context.Context, s *topology.Snapshot) error {
		n, err := counts.Get(ctx, s, "3", topology.Range{})
		fmt.Println(n)
		return err
	})
	// Output: 2
}

func ExampleFilter() {
	t := topology.New("errors")
	errs := topology.Filter(topology.Source(t, "log", topology.Text), "errors", func(line string) bool { return strings.HasPrefix(line, "ERROR") })
	counts := topology.Count(topology.By(errs, "line", topology.Itself), "count")
	results(t, []string{"ERROR disk", "INFO start", "ERROR disk"}, func(ctx context.Context, s *topology.Snapshot) error {
		n, err := counts.Get(ctx, s, "ERROR disk", topology.Range{})
		fmt.Println(n)
		return err
	})
	// Output: 2
}

func ExampleFlatMapSeq() {
	t := topology.New("words")
	words := topology.FlatMapSeq(topology.Source(t, "lines", topology.Text), "split", strings.FieldsSeq)
	counts := topology.Count(topology.By(words, "word", topology.Itself), "count")
	results(t, []string{"x y x"}, func(ctx context.Context, s *topology.Snapshot) error {
		n, err := counts.Get(ctx, s, "x", topology.Range{})
		fmt.Println(n)
		return err
	})
	// Output: 2
}

// A sale is read as JSON, and summed by hour.
func ExampleSum() {
	type sale struct {
		Shop  string
		Cents int64
		At    time.Time
	}
	t := topology.New("sales")
	sales := topology.Source(t, "sales", topology.JSON[sale]())
	byShop := topology.By(sales, "shop", func(s sale) string { return s.Shop }, topology.Hours(func(s sale) time.Time { return s.At }))
	turnover := topology.Sum(byShop, "turnover", func(s sale) int64 { return s.Cents })
	results(t, []string{
		`{"Shop":"a","Cents":250,"At":"2026-05-01T10:05:00Z"}`,
		`{"Shop":"a","Cents":100,"At":"2026-05-01T10:59:00Z"}`,
		`{"Shop":"a","Cents":5,"At":"2026-05-01T11:00:00Z"}`,
	}, func(ctx context.Context, s *topology.Snapshot) error {
		ten := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
		n, err := turnover.Get(ctx, s, "a", topology.Between(ten, ten.Add(time.Hour)))
		fmt.Println(n)
		return err
	})
	// Output: 350
}

func ExampleUnique() {
	t := topology.New("visitors")
	visits := topology.Map(topology.Source(t, "visits", topology.Text), "split", strings.Fields)
	byPage := topology.By(visits, "page", func(v []string) string { return v[0] })
	visitors := topology.Unique(byPage, "visitors", func(v []string) string { return v[1] })
	results(t, []string{"/ ann", "/ bob", "/ ann"}, func(ctx context.Context, s *topology.Snapshot) error {
		e, err := visitors.Get(ctx, s, "/", topology.Range{})
		fmt.Println(e.N, e.Exact)
		return err
	})
	// Output: 2 true
}

// The last two words of each first letter, in their order.
func ExampleUpdate() {
	t := topology.New("latest")
	words := topology.FlatMap(topology.Source(t, "lines", topology.Text), "split", strings.Fields)
	byLetter := topology.By(words, "letter", func(w string) string { return w[:1] })
	latest := topology.Update(byLetter, "latest", topology.Text, topology.JSON[[]string](), func(state []string, w string) []string {
		state = append(state[:len(state):len(state)], w)
		return state[max(0, len(state)-2):]
	})
	results(t, []string{"apple bee avocado", "almond"}, func(ctx context.Context, s *topology.Snapshot) error {
		list, found, err := latest.Get(ctx, s, "a", 0)
		fmt.Println(list, found)
		return err
	})
	// Output: [avocado almond] true
}

func ExampleTopBy() {
	t := topology.New("referrers")
	views := topology.Map(topology.Source(t, "views", topology.Text), "split", strings.Fields)
	byPage := topology.By(views, "page", func(v []string) string { return v[0] })
	referrers := topology.TopBy(byPage, "referrers", 1, func(v []string) string { return v[1] })
	results(t, []string{"/ news", "/ mail", "/ news"}, func(ctx context.Context, s *topology.Snapshot) error {
		list, err := referrers.Get(ctx, s, "/", topology.Range{})
		fmt.Println(list)
		return err
	})
	// Output: [{news 2}]
}

// How often a word follows itself.
func ExampleRemember() {
	t := topology.New("repeats")
	words := topology.FlatMap(topology.Source(t, "lines", topology.Text), "split", strings.Fields)
	repeats := topology.Remember(words, "last", func(string) string { return "" },
		topology.Memory[string]{States: topology.Text, Window: time.Hour, Entries: 1},
		func(last, w string) (string, []string) {
			if w == last {
				return w, []string{w}
			}
			return w, nil
		})
	top := topology.Top(topology.Count(topology.By(repeats, "word", topology.Itself), "count"), "top", 5)
	results(t, []string{"a a b", "b a"}, func(ctx context.Context, s *topology.Snapshot) error {
		list, err := top.Get(ctx, s, topology.Range{})
		fmt.Println(list)
		return err
	})
	// Output: [{a 1} {b 1}]
}
