package topology

import (
	"cmp"
	"container/heap"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Ranked is a key and its count.
type Ranked struct {
	Key   string
	Count uint64
}

// compare orders by count, the highest first, then by the bytes of the key.
func (a Ranked) compare(b Ranked) int {
	if n := cmp.Compare(b.Count, a.Count); n != 0 {
		return n
	}
	return strings.Compare(a.Key, b.Key)
}

// Get returns the list: at most n keys.
func (c *Tops) Get(ctx context.Context, s *Snapshot, r Range) ([]Ranked, error) {
	list := newTop(c.n)
	for e, err := range c.counts.raw(ctx, s, r) {
		if err != nil {
			return nil, err
		}
		if list.takes(e.n) {
			list.add(Ranked{unescape(e.key), e.n})
		}
	}
	return list.sorted(), nil
}

// top is a heap of the first n entries, the last of them on top.
type top struct {
	n    int
	list []Ranked
}

func newTop(n int) *top { return &top{n: n} }

// takes reports whether an entry with this count may be among the first.
func (t *top) takes(count uint64) bool { return len(t.list) < t.n || count >= t.list[0].Count }

func (t *top) add(e Ranked) {
	if len(t.list) < t.n {
		heap.Push(t, e)
		return
	}
	if e.compare(t.list[0]) < 0 {
		t.list[0] = e
		heap.Fix(t, 0)
	}
}

func (t *top) sorted() []Ranked {
	slices.SortFunc(t.list, Ranked.compare)
	return t.list
}

// Len implements heap.Interface.
func (t *top) Len() int { return len(t.list) }

// Less implements heap.Interface.
func (t *top) Less(i, k int) bool { return t.list[i].compare(t.list[k]) > 0 }

// Swap implements heap.Interface.
func (t *top) Swap(i, k int) { t.list[i], t.list[k] = t.list[k], t.list[i] }

// Push implements heap.Interface.
func (t *top) Push(e any) { t.list = append(t.list, e.(Ranked)) }

// Pop implements heap.Interface.
func (t *top) Pop() any {
	e := t.list[len(t.list)-1]
	t.list = t.list[:len(t.list)-1]
	return e
}

// rankedBytes bounds the memory of Ranked.
const rankedBytes = 32 << 20

// entryBytes is about the memory of an entry besides its key.
const entryBytes = 64

// Ranked gives every key with its count, the highest count first, and equal counts
// by the bytes of their keys. Its memory does not grow with the keys: it reads the
// results several times, each time those of a few counts.
func (c *Counts) Ranked(ctx context.Context, s *Snapshot, r Range) iter.Seq2[Ranked, error] {
	return c.ranked(ctx, s, r, rankedBytes)
}

func (c *Counts) ranked(ctx context.Context, s *Snapshot, r Range, budget int) iter.Seq2[Ranked, error] {
	return func(yield func(Ranked, error) bool) {
		sizes := map[uint64]int{} // of each count: memory of its keys
		for e, err := range c.raw(ctx, s, r) {
			if err != nil {
				yield(Ranked{}, err)
				return
			}
			sizes[e.n] += len(e.key) + entryBytes
		}
		counts := slices.Sorted(maps.Keys(sizes))
		slices.Reverse(counts)
		for len(counts) > 0 {
			n, sum := 0, 0
			for n < len(counts) && (n == 0 || sum+sizes[counts[n]] <= budget) {
				sum += sizes[counts[n]]
				n++
			}
			if !c.some(ctx, s, r, counts[n-1], counts[0], yield) {
				return
			}
			counts = counts[n:]
		}
	}
}

// some gives the keys with counts from low to high. Those of one count are in order
// as they are read.
func (c *Counts) some(ctx context.Context, s *Snapshot, r Range, low, high uint64, yield func(Ranked, error) bool) bool {
	var list []Ranked
	for e, err := range c.raw(ctx, s, r) {
		switch {
		case err != nil:
			yield(Ranked{}, err)
			return false
		case e.n < low || e.n > high:
		case low == high:
			if !yield(Ranked{unescape(e.key), e.n}, nil) {
				return false
			}
		default:
			list = append(list, Ranked{unescape(e.key), e.n})
		}
	}
	slices.SortFunc(list, Ranked.compare)
	for _, e := range list {
		if !yield(e, nil) {
			return false
		}
	}
	return true
}
