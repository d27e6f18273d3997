package topology

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func start(t *testing.T, topology *Topology, data string) *Job {
	t.Helper()
	job, err := Run(t.Context(), topology, Config{Data: data, Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = job.Close() })
	return job
}

func feed(t *testing.T, job *Job, lines []string) {
	t.Helper()
	f, err := job.Feed(t.Context(), "lines")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, line := range lines {
		if int64(i) < f.Next() {
			continue
		}
		if err := f.Append(t.Context(), int64(i), []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func settled(t *testing.T, job *Job) *Snapshot {
	t.Helper()
	if err := job.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := job.Query(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// All steps give what maps give, over several runs of the same data directory.
func TestSteps(t *testing.T) {
	data := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	var lines []string
	for round := range 3 {
		for range 200 {
			var line []string
			for range random.IntN(5) {
				line = append(line, string("abcAB"[random.IntN(5)])+strings.Repeat("x", random.IntN(4)))
			}
			lines = append(lines, strings.Join(line, " "))
		}
		topology, r := everything()
		job := start(t, topology, data)
		feed(t, job, lines)
		s := settled(t, job)
		check(t, s, r, lines)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := job.Close(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

func check(t *testing.T, s *Snapshot, r results, lines []string) {
	t.Helper()
	ctx := context.Background()
	counts, lengths, unique, last := map[string]uint64{}, map[string]int64{}, map[string]map[string]uint64{}, map[string]string{}
	for _, line := range lines {
		for _, w := range strings.Fields(line) {
			if len(w) < 2 {
				continue
			}
			w = strings.ToLower(w)
			counts[w]++
			lengths[w] += int64(len(w)) - 3
			if unique[w[:1]] == nil {
				unique[w[:1]] = map[string]uint64{}
			}
			unique[w[:1]][w]++
			last[w[:1]] = w
		}
	}
	got := map[string]uint64{}
	for e, err := range r.counts.All(ctx, s, Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[e.Key] = e.Count
	}
	if !maps.Equal(got, counts) {
		t.Errorf("counts are %v, want %v", got, counts)
	}
	for w, want := range lengths {
		if n, err := r.lengths.Get(ctx, s, w, Range{}); n != want || err != nil {
			t.Errorf("sum of %s is %d (%v), want %d", w, n, err, want)
		}
	}
	for k, want := range unique {
		if e, err := r.unique.Get(ctx, s, k, Range{}); e.N != uint64(len(want)) || !e.Exact || err != nil {
			t.Errorf("unique of %s is %v (%v), want %d", k, e, err, len(want))
		}
		if list, err := r.often.Get(ctx, s, k, Range{}); !slices.Equal(list, firstOf(want, 2)) || err != nil {
			t.Errorf("top of %s is %v (%v), want %v", k, list, err, firstOf(want, 2))
		}
		if w, found, err := r.last.Get(ctx, s, k, 0); len(want) > 0 && !found || want[w] == 0 || err != nil {
			t.Errorf("last of %s is %q, %v (%v)", k, w, found, err)
		}
	}
	if list, err := r.top.Get(ctx, s, Range{}); !slices.Equal(list, firstOf(counts, 2)) || err != nil {
		t.Errorf("top is %v (%v), want %v", list, err, firstOf(counts, 2))
	}
	for _, budget := range []int{1, 200, 1 << 20} {
		var list []Ranked
		for e, err := range r.counts.ranked(ctx, s, Range{}, budget) {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, e)
		}
		if want := firstOf(counts, len(counts)); !slices.Equal(list, want) {
			t.Errorf("budget %d: ranked %v, want %v", budget, list, want)
		}
	}
}

func firstOf(counts map[string]uint64, n int) []Ranked {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b]) - int(counts[a])
		}
		return strings.Compare(a, b)
	})
	var list []Ranked
	for _, k := range keys[:min(n, len(keys))] {
		list = append(list, Ranked{k, counts[k]})
	}
	return list
}

// What a feed sends again is ignored, though the note of its progress is lost.
func TestFeedAgain(t *testing.T) {
	topology, r := everything()
	job := start(t, topology, t.TempDir())
	lines := []string{"aa bb", "aa", "", "cc aa"}
	feed(t, job, lines)
	f, err := job.Feed(t.Context(), "lines")
	if err != nil {
		t.Fatal(err)
	}
	if won, err := job.stages[0].store.SwapRow(t.Context(), f.row, f.known, []byte(`{"name":"lines"}`)); !won || err != nil {
		t.Fatal(won, err)
	}
	lines = append(lines, "dd")
	feed(t, job, lines)
	check(t, settled(t, job), r, lines)
}

// An event for which a step fails is rejected, and nothing of it counts.
func TestPanic(t *testing.T) {
	topology := New("x")
	words := FlatMap(Source(topology, "lines", Text), "split", strings.Fields)
	odd := Map(words, "odd", func(w string) string {
		if w == "bad" {
			panic("a bad word")
		}
		return w
	})
	counts := Count(By(odd, "by", Itself), "n")
	job := start(t, topology, t.TempDir())
	feed(t, job, []string{"a b", "a bad b", "a"})
	s := settled(t, job)
	a, err1 := counts.Get(t.Context(), s, "a", Range{})
	b, err2 := counts.Get(t.Context(), s, "b", Range{})
	stats, err3 := s.Stats(t.Context())
	if a != 2 || b != 1 || stats != (Stats{Records: 3, Events: 2, Rejected: 1}) || err1 != nil || err2 != nil || err3 != nil {
		t.Error(a, b, stats, err1, err2, err3)
	}
}

// A state that cannot go on ends the job, which names the step and the key.
func TestUpdateFails(t *testing.T) {
	topology := New("x")
	by := By(Source(topology, "lines", Text), "by", Itself)
	Update(by, "u", Text, Text, func(s, v string) string {
		if v == "bad" {
			panic("no state for that")
		}
		return s + v
	})
	job := start(t, topology, t.TempDir())
	feed(t, job, []string{"a", "bad"})
	<-job.Done()
	for _, err := range []error{job.Err(), job.Settle(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "step u: panic: no state for that") {
			t.Error(err)
		}
	}
}

// A changed topology keeps what means the same, and what does not is refused.
func TestChange(t *testing.T) {
	data := t.TempDir()
	build := func(f func(*Grouped[string])) *Topology {
		topology := New("x")
		f(By(Source(topology, "lines", Text), "by", Itself))
		return topology
	}
	var counts, more *Counts
	lines := []string{"a", "b", "a"}
	job := start(t, build(func(g *Grouped[string]) { counts = Count(g, "n") }), data)
	feed(t, job, lines)
	settled(t, job)
	_ = job.Close()

	topology := build(func(g *Grouped[string]) { counts, more = Count(g, "n"), Count(g, "more") })
	job = start(t, topology, data)
	feed(t, job, append(lines, "a"))
	s := settled(t, job)
	n, err1 := counts.Get(t.Context(), s, "a", Range{})
	m, err2 := more.Get(t.Context(), s, "a", Range{})
	if n != 3 || m != 1 || err1 != nil || err2 != nil {
		t.Errorf("the old count is %d, want 3 (%v); the new one %d, want 1 (%v)", n, err1, m, err2)
	}
	for _, e := range []Ranked{{"a", 3}, {"b", 1}} {
		if n, err := counts.Get(t.Context(), s, e.Key, Range{}); n != e.Count || err != nil {
			t.Errorf("%s: %d (%v)", e.Key, n, err)
		}
	}
	var all []string
	for e, err := range counts.All(t.Context(), s, Range{}) {
		all = append(all, fmt.Sprint(e, err))
	}
	if want := []string{"{a 3} <nil>", "{b 1} <nil>"}; !slices.Equal(all, want) {
		t.Errorf("over two generations: %q, want %q", all, want)
	}
	_ = s.Close()
	_ = job.Close()

	for name, c := range map[string]struct {
		build func(*Grouped[string])
		says  string
	}{
		"another kind": {func(g *Grouped[string]) { Sum(g, "n", func(string) int64 { return 1 }); Count(g, "more") }, `step n means "lines:source by:by n:sum"`},
		"removed":      {func(g *Grouped[string]) { Count(g, "n") }, ""},
	} {
		job, err := Run(t.Context(), build(c.build), Config{Data: data})
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if err == nil {
			_ = job.Close()
		}
	}
	if _, err := Run(t.Context(), topology, Config{Data: data}); err == nil || !strings.Contains(err.Error(), "step more was removed once") {
		t.Errorf("a step is back: %v", err)
	}
}

// A line is cut at white space only where it is longer than a record can be.
func TestLongLines(t *testing.T) {
	topology := New("x")
	counts := Count(By(FlatMap(Source(topology, "lines", Text), "split", strings.Fields), "by", Itself), "n")
	job := start(t, topology, t.TempDir())
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("one two ", MaxRecord/4)+"\nthree"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := job.FeedFile(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	s := settled(t, job)
	for word, want := range map[string]uint64{"one": MaxRecord / 4, "two": MaxRecord / 4, "three": 1} {
		if n, err := counts.Get(t.Context(), s, word, Range{}); n != want || err != nil {
			t.Errorf("%s: %d (%v), want %d", word, n, err, want)
		}
	}
	if err := os.WriteFile(file+"2", []byte(strings.Repeat("x", MaxRecord+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := job.FeedFile(t.Context(), file+"2"); err == nil || !strings.Contains(err.Error(), "without white space from byte 0 on") {
		t.Error(err)
	}
}
