package topology

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// everything has a step of each kind.
func everything() (t *Topology, r results) {
	t = New("everything")
	texts := Source(t, "texts", Text)
	words := FlatMap(texts, "split", strings.Fields)
	long := Filter(words, "long", func(w string) bool { return len(w) > 1 })
	lower := Map(long, "lower", strings.ToLower)
	by := By(lower, "word", Itself)
	r.counts = Count(by, "count")
	r.top = Top(r.counts, "top", 2)
	r.lengths = Sum(by, "lengths", func(w string) int64 { return int64(len(w)) - 3 })
	first := By(lower, "first", func(w string) string { return w[:1] })
	r.unique = Unique(first, "unique", Itself)
	r.last = Update(first, "last", Text, Text, func(_, w string) string { return w })
	r.often = TopBy(first, "often", 2, Itself)
	return t, r
}

type results struct {
	counts  *Counts
	top     *Tops
	lengths *Sums
	unique  *Uniques
	last    *States[string]
	often   *TopsBy
}

// Each mistake is reported with the name of its step and what is allowed.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func() *Topology
		says  string
	}{
		{"no source", func() *Topology { return New("x") }, "topology x has no source"},
		{"bad name", func() *Topology { return New("Big Words") }, `name is "Big Words": allowed are 1 to 48`},
		{"no state", func() *Topology {
			t := New("x")
			Map(Source(t, "lines", Text), "m", strings.ToLower)
			return t
		}, "topology x keeps no state: add Count"},
		{"two sources", func() *Topology {
			t := New("x")
			Count(By(Source(t, "lines", Text), "by", Itself), "n")
			Source(t, "more", Text)
			return t
		}, "step more: there is another source, lines"},
		{"a name twice", func() *Topology {
			t := New("x")
			by := By(Source(t, "lines", Text), "by", Itself)
			Count(by, "n")
			Count(by, "n")
			return t
		}, "step n: there is another step of that name (count)"},
		{"bad step name", func() *Topology {
			t := New("x")
			Count(By(Source(t, "lines", Text), "b/y", Itself), "n")
			return t
		}, `a step's name is "b/y"`},
		{"no function", func() *Topology {
			t := New("x")
			Count(By(Filter(Source(t, "lines", Text), "keep", nil), "by", Itself), "n")
			return t
		}, "step keep: filter has no function"},
		{"no codec", func() *Topology {
			t := New("x")
			Update(By(Source(t, "lines", Text), "by", Itself), "u", Text, Codec[int]{}, func(n int, _ string) int { return n })
			return t
		}, "step u: a codec has no Append or no Decode"},
		{"top of none", func() *Topology {
			t := New("x")
			Top(Count(By(Source(t, "lines", Text), "by", Itself), "n"), "top", 0)
			return t
		}, "step top: the first 0: allowed are 1 to 10000"},
		{"two windows", func() *Topology {
			t := New("x")
			at := Hours(func(string) time.Time { return time.Time{} })
			Count(By(Source(t, "lines", Text), "by", Itself, at, at), "n")
			return t
		}, "step by: By takes one window"},
	} {
		err := c.build().Err()
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if _, err := Run(t.Context(), c.build(), Config{Data: t.TempDir()}); err == nil {
			t.Errorf("%s: it runs", c.name)
		}
	}
	if topology, _ := everything(); topology.Err() != nil {
		t.Error(topology.Err())
	}
}

// The pictures are of what runs.
func TestPictures(t *testing.T) {
	topology, _ := everything()
	const text = `topology everything
  texts: source, topic texts, text
    split: flatmap
      long: filter
        lower: map
          word: by key
            count: count, partial in each partition, merged when read
              top: top, the first 2
            lengths: sum, partial in each partition, merged when read
          first: by key, forwards through topic everything-first
            unique: unique, partial in each partition, merged when read
            last: update, in the partition of the key
            often: topby, the first 2, in the partition of the key
`
	if got := topology.Text(); got != text {
		t.Errorf("text is\n%s\nwant\n%s", got, text)
	}
	for _, want := range []string{"flowchart LR\n", `s0[("texts<br/>source text")]`, "s8 -- everything-first --> s10", "s5 --> s6"} {
		if !strings.Contains(topology.Mermaid(), want) {
			t.Errorf("%s\nhas no %s", topology.Mermaid(), want)
		}
	}
}

// Keys keep their order in the store, whatever bytes they have.
func TestEscape(t *testing.T) {
	keys := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x01", "\x01\x00", "\x01\x01", "\x01\x02", "\x02", "a", "a\x00", "a\x00b", "a\x01", "ab", "\xff"}
	escaped := make([]string, len(keys))
	for i, k := range keys {
		escaped[i] = escape(k)
		if strings.IndexByte(escaped[i], 0) >= 0 || unescape([]byte(escaped[i])) != k {
			t.Errorf("%q becomes %q, and that %q", k, escaped[i], unescape([]byte(escaped[i])))
		}
	}
	if !slices.IsSorted(escaped) {
		t.Errorf("the order is lost: %q", escaped)
	}
}
