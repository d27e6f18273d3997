package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"speedlayer/event"
)

// TestEdges compares the mapping with one by label propagation, after every
// change of a random log of edges over few identifiers.
func TestEdges(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 0))
		e := NewEdges()
		holds := map[[2]string]bool{}
		ids := make([]string, 3+r.IntN(12))
		for i := range ids {
			ids[i] = fmt.Sprintf("person %d", i)
		}
		var old *canonical
		var oldWant map[string]uint64
		for step := range 200 {
			i, j := r.IntN(len(ids)), r.IntN(len(ids))
			if i == j {
				continue
			}
			edge := event.Edge{ID1: ids[i], ID2: ids[j], TS: int64(step), Retract: r.IntN(3) > 0}
			e.Apply(edge)
			a, b := edge.Pair()
			if edge.Retract {
				delete(holds, [2]string{a, b})
			} else {
				holds[[2]string{a, b}] = true
			}
			if r.IntN(3) == 0 {
				continue // several changes between two queries
			}
			got, want := e.snapshot(), labels(ids, holds)
			for _, id := range ids {
				if c := got.of(event.PersonHash([]byte(id))); c != want[id] {
					t.Fatalf("seed %d step %d: %s is %x, want %x", seed, step, id, c, want[id])
				}
				if old != nil && old.of(event.PersonHash([]byte(id))) != oldWant[id] {
					t.Fatalf("seed %d step %d: a snapshot in use changed", seed, step)
				}
			}
			if len(holds) != e.Len() || len(e.List()) != len(holds) || got.edges != len(holds) {
				t.Fatalf("seed %d step %d: %d edges, want %d", seed, step, e.Len(), len(holds))
			}
			old, oldWant = got, want
		}
	}
}

// labels lowers every hash to that of its neighbours until nothing changes.
func labels(ids []string, holds map[[2]string]bool) map[string]uint64 {
	l := map[string]uint64{}
	for _, id := range ids {
		l[id] = event.PersonHash([]byte(id))
	}
	for changed := true; changed; {
		changed = false
		for pair := range holds {
			if low := min(l[pair[0]], l[pair[1]]); l[pair[0]] != low || l[pair[1]] != low {
				l[pair[0]], l[pair[1]], changed = low, low, true
			}
		}
	}
	return l
}

// TestEdgesRebuildsLittle checks that one more edge among 100,000 replaces only the
// parts of the mapping that contain its persons.
func TestEdgesRebuildsLittle(t *testing.T) {
	e := manyEdges(100_000)
	before := e.snapshot()
	e.Apply(event.Edge{ID1: "user 17", ID2: "another"})
	after := e.snapshot()
	replaced := 0
	for i := range after.parts {
		if after.parts[i] != before.parts[i] {
			replaced++
		}
	}
	if replaced == 0 || replaced > 3 {
		t.Fatalf("%d parts replaced", replaced)
	}
	if e.snapshot() != after {
		t.Fatal("rebuilt without a change")
	}
}

// manyEdges links users to addresses: most to one, some to several.
func manyEdges(n int) *Edges {
	e := NewEdges()
	for i := range n {
		e.Apply(event.Edge{ID1: fmt.Sprintf("user %d", i*7%(n*4/5+1)), ID2: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), TS: 1})
	}
	return e
}

func BenchmarkEdgesBuild100k(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e := manyEdges(100_000)
		b.StartTimer()
		e.snapshot()
	}
}

// BenchmarkEdgesApply adds or removes one edge and runs the next query.
func BenchmarkEdgesApply(b *testing.B) {
	e := manyEdges(100_000)
	e.snapshot()
	i := 0
	for b.Loop() {
		e.Apply(event.Edge{ID1: fmt.Sprintf("user %d", i/2%50_000), ID2: "someone new", TS: 1, Retract: i%2 == 1})
		e.snapshot()
		i++
	}
}

// BenchmarkEdgesOnePerson adds ever more identifiers of one person.
func BenchmarkEdgesOnePerson(b *testing.B) {
	e := NewEdges()
	i := 0
	for b.Loop() {
		e.Apply(event.Edge{ID1: "sally", ID2: fmt.Sprintf("address %d", i), TS: 1})
		e.snapshot()
		i++
	}
}

func BenchmarkEdgesLookup(b *testing.B) {
	c := manyEdges(100_000).snapshot()
	hashes := make([]uint64, 1<<16)
	for i := range hashes {
		hashes[i] = event.PersonHash(fmt.Appendf(nil, "user %d", i*3))
	}
	i, sum := 0, uint64(0)
	for b.Loop() {
		sum += c.of(hashes[i&(1<<16-1)])
		i++
	}
	_ = sum
}

// TestTimes has what users write and what it means.
func TestTimes(t *testing.T) {
	now := time.Date(2026, 3, 1, 14, 30, 0, 0, time.UTC)
	for _, c := range []struct{ from, to, want string }{
		{"2026-03-01T10:00Z", "2026-03-01T12:00:00Z", "2026-03-01T10:00:00Z 2026-03-01T12:00:00Z"},
		{"2026-03-01T10:00:00.000Z", "2026-03-01T14:00+02:00", "2026-03-01T10:00:00Z 2026-03-01T12:00:00Z"},
		{"2026-03-01T04:30:00-05:30", "now", "2026-03-01T10:00:00Z 2026-03-01T15:00:00Z"},
		{"2026-02-28", "2026-03-01", "2026-02-28T00:00:00Z 2026-03-01T00:00:00Z"},
		{"now-24h", "now", "2026-02-28T14:00:00Z 2026-03-01T15:00:00Z"},
		{"now-7d", "now-1h", "2026-02-22T14:00:00Z 2026-03-01T13:00:00Z"},
		{"now-90m", "now-31m", "2026-03-01T13:00:00Z 2026-03-01T13:00:00Z"},
		{"now-1w", "now+2h", "2026-02-22T14:00:00Z 2026-03-01T16:00:00Z"},
		{"now", "now", "2026-03-01T14:00:00Z 2026-03-01T14:00:00Z"},
		{"1970-01-01", "9999-12-31T23:00Z", "1970-01-01T00:00:00Z 9999-12-31T23:00:00Z"},
		{"2026-03-01T10:00z", "now", "from"}, {"2026-03-01 10:00", "now", "from"}, {"2026-03-01T10Z", "now", "from"},
		{"1", "now", "from"}, {"now-", "now", "from"}, {"now-h", "now", "from"}, {"now-1.5h", "now", "from"}, {"now--1h", "now", "from"},
		{"now24h", "now", "from"}, {"nowhere", "now", "from"}, {"2026-02-30", "now", "from"}, {"2026-13-01", "now", "from"},
		{"now", "2026-03-01T10:00Z", "from"}, {"now", "", "to"}, {"now", "later", "to"},
	} {
		h, err := ParseHours(c.from, c.to, now)
		got := hourText(h.From) + " " + hourText(h.To)
		if err != nil {
			got = err.(*Error).Field
		}
		if got != c.want {
			t.Errorf("%s to %s: %s, want %s (%v)", c.from, c.to, got, c.want, err)
		}
	}
}

// TestBuckets: keys in any order.
func TestBuckets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b buckets[int]
	var set hourSet
	want := map[int32]int{}
	for range 500 {
		k := int32(r.IntN(300))
		*b.at(k)++
		set.add(k)
		want[k]++
	}
	if !slices.IsSorted(b.keys) || len(b.keys) != len(want) || set.len() != len(want) {
		t.Fatal(b.keys, set.len(), len(want))
	}
	for i, k := range b.keys {
		if b.values[i] != want[k] {
			t.Fatalf("%d: %d, want %d", k, b.values[i], want[k])
		}
	}
}
