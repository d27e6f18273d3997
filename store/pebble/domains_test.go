package pebble

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/store"
)

// The domains of any hours are the same whether a generation has the copies that are
// ordered by hour or was created by a version without them. Dropping a generation
// drops its copies.
func TestDomainsByHour(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s := openIn(t, dir)
	for _, g := range []uint32{1, 2} {
		must(t, s.CreateGeneration(t.Context(), g))
	}
	must(t, s.db.Set(numberKey(generationPrefix, 1), generation{live: true}.row(), pebble.Sync)) // as earlier versions wrote it
	must(t, s.Close())
	s = openIn(t, dir)
	if g, _ := s.generation(1); g.indexed {
		t.Fatal("the generation of an earlier version is taken for one with copies")
	}
	for n := range 30 {
		shard := store.Shard{Epoch: uint32(n % 2), Partition: int32(n % 3)}
		cells := map[store.Key]store.Cell{}
		for range 40 {
			url := fmt.Sprintf("d%02d.example", r.IntN(40))
			if r.IntN(3) == 0 {
				url += fmt.Sprintf("/p%d", r.IntN(9))
			}
			for _, g := range []uint32{1, 2} {
				k := store.Key{Generation: g, View: store.ViewID(1 + n%2), URL: url, Hour: int32(r.IntN(50))}
				cells[k] = store.Cell{Key: k, Version: int64(n), Value: fmt.Append(nil, n, k.URL, k.Hour)}
			}
		}
		b := &store.Batch{Shard: shard, Commit: store.Commit{Offset: int64(n + 1)}}
		for k := range cells {
			other := k
			other.Generation = 3 - k.Generation
			cells[other] = store.Cell{Key: other, Version: cells[k].Version, Value: cells[k].Value}
		}
		for _, c := range cells {
			b.Cells = append(b.Cells, c)
		}
		slices.SortFunc(b.Cells, func(a, b store.Cell) int { return a.Key.Compare(b.Key) })
		must(t, s.Apply(t.Context(), b))
	}
	for range 50 {
		rg := store.Range{View: 1, Prefix: true, From: int32(r.IntN(50)) - 1}
		rg.To = rg.From + int32(r.IntN(9))
		old, now := domainsIn(t, s, 1, rg), domainsIn(t, s, 2, rg)
		if !slices.Equal(old, now) {
			t.Fatalf("seed %d: %+v: among cells %v, by hour %v", seed, rg, old, now)
		}
	}
	if n := len(domainsIn(t, s, 2, store.Range{View: 1, Prefix: true, To: 50})); n < 100 {
		t.Errorf("seed %d: only %d cells of domains", seed, n)
	}
	must(t, s.DropGeneration(t.Context(), 2))
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{domainPrefix}, UpperBound: []byte{domainPrefix + 1}})
	must(t, err)
	if it.First() {
		t.Errorf("a dropped generation left %q", it.Key())
	}
	must(t, it.Close())
}

func domainsIn(t *testing.T, s *Store, g uint32, rg store.Range) (all []string) {
	t.Helper()
	r, err := s.Read(t.Context())
	must(t, err)
	defer r.Close()
	rg.Generation = g
	must(t, r.(store.DomainScanner).ScanDomains(t.Context(), rg, func(c *store.ScanCell) error {
		all = append(all, fmt.Sprintf("%s %d %v %d %s", c.URL, c.Hour, c.Shard, c.Version, c.Value))
		return nil
	}))
	slices.Sort(all)
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openIn(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, NoSync: true})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}
