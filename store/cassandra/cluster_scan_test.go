package cassandra

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"speedlayer/store"
)

type modelKey struct {
	key   store.Key
	shard store.Shard
}

// model is what a store should hold: cells of one generation by key and shard.
type model map[modelKey]store.Cell

// fill applies random batches of some shards, some of them late. It returns the expected
// contents.
func fill(t *testing.T, s *Store, r *rand.Rand, batches int) model {
	t.Helper()
	heads := []string{"", "a.com/", "a.com/é", strings.Repeat("h", 1000)}
	m := model{}
	for n := range batches {
		shard := store.Shard{Epoch: uint32(r.IntN(2)), Partition: int32(r.IntN(12))}
		cells := map[store.Key]store.Cell{}
		for range 1 + r.IntN(80) {
			url := heads[r.IntN(len(heads))] + strings.Repeat(string(rune('a'+r.IntN(3))), r.IntN(3)*r.IntN(60))
			k := store.Key{View: store.ViewID(1 + r.IntN(3)), URL: url, Hour: int32(400_000 + r.IntN(50))}
			version := 1 + r.Int64N(1000)
			// Equal versions have equal bytes (law 2).
			cells[k] = store.Cell{Key: k, Version: version, Value: fmt.Append(nil, shard, k.Hour, version)}
		}
		b := &store.Batch{Shard: shard, Commit: store.Commit{Offset: int64(1000 + n)}}
		for k, c := range cells {
			b.Cells = append(b.Cells, c)
			if have, ok := m[modelKey{k, shard}]; !ok || have.Version < c.Version {
				m[modelKey{k, shard}] = c
			}
		}
		slices.SortFunc(b.Cells, func(a, b store.Cell) int { return a.Key.Compare(b.Key) })
		must(t, s.Apply(t.Context(), b))
	}
	return m
}

// scan returns the answer of the model.
func (m model) scan(rg store.Range) (lines []string) {
	var keys []modelKey
	for k := range m {
		match := !rg.Prefix && k.key.URL == rg.URL || rg.Prefix && strings.HasPrefix(k.key.URL, rg.URL) && k.key.URL >= rg.FromURL && (rg.ToURL == "" || k.key.URL < rg.ToURL)
		if match && k.key.View == rg.View && k.key.Hour >= rg.From && k.key.Hour < rg.To {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b modelKey) int {
		if c := a.key.Compare(b.key); c != 0 {
			return c
		}
		return a.shard.Compare(b.shard)
	})
	for _, k := range keys {
		lines = append(lines, lineOf(k.key.URL, k.key.Hour, k.shard, m[k].Version, m[k].Value))
	}
	return lines
}

func lineOf(url string, hour int32, shard store.Shard, version int64, value []byte) string {
	return fmt.Sprintf("%s %d %v @%d %q", url, hour, shard, version, value)
}

// Random cells, random ranges, pages of few rows: scans and look-ups return what a
// sorted map returns, in its order.
func TestClusterScansAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 8))
	o := options(t)
	o.pageRows = 3
	s := open(t, o)
	must(t, s.CreateGeneration(t.Context(), 0))
	m := fill(t, s, r, 30)
	keys := make([]modelKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b modelKey) int { // so that a seed is reproducible
		if c := a.key.Compare(b.key); c != 0 {
			return c
		}
		return a.shard.Compare(b.shard)
	})
	reader, err := s.Read(t.Context())
	must(t, err)
	for n := range 60 {
		url := keys[r.IntN(len(keys))].key.URL
		rg := store.Range{View: store.ViewID(1 + r.IntN(3)), URL: url, From: int32(400_000 + r.IntN(50)), To: int32(400_000 + r.IntN(55)), Prefix: n%3 == 0}
		if rg.Prefix {
			rg.URL = url[:r.IntN(len(url)+1)] // may cut a character in two
			if r.IntN(2) == 0 {
				rg.FromURL, rg.ToURL = keys[r.IntN(len(keys))].key.URL, keys[r.IntN(len(keys))].key.URL
			}
		}
		var got []string
		must(t, reader.Scan(t.Context(), rg, func(c *store.ScanCell) error {
			got = append(got, lineOf(string(c.URL), c.Hour, c.Shard, c.Version, c.Value))
			return nil
		}))
		if want := m.scan(rg); !slices.Equal(got, want) {
			t.Fatalf("%+v: %d cells, want %d:\n%.2000s\nwant\n%.2000s", rg, len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	lookups(t, s, m, keys)
}

// lookups asks for every cell of each shard, and for one that is not there.
func lookups(t *testing.T, s *Store, m model, keys []modelKey) {
	t.Helper()
	byShard := map[store.Shard][]store.Key{}
	for _, k := range keys {
		byShard[k.shard] = append(byShard[k.shard], k.key)
	}
	for shard, all := range byShard {
		asked := append([]store.Key{{View: 1, URL: "nowhere", Hour: 400_000}}, all...)
		asked = append(asked, all[0]) // asked for twice
		seen := make([]int, len(asked))
		must(t, s.Cells(t.Context(), shard, asked, func(i int, version int64, value []byte) error {
			seen[i]++
			if want := m[modelKey{asked[i], shard}]; want.Version != version || string(want.Value) != string(value) {
				t.Errorf("%v in %v: %q at %d, want %q at %d", asked[i], shard, value, version, want.Value, want.Version)
			}
			return nil
		}))
		for i, n := range seen {
			if want := min(i, 1); n != want {
				t.Errorf("%v in %v was found %d times, want %d", asked[i], shard, n, want)
			}
		}
	}
}
