package crdt

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/datasketches-go/hll"
)

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func cellOf(hashes []uint64) *Visitors {
	v := &Visitors{}
	for _, h := range hashes {
		v.Add(h)
	}
	return v
}

func hashes(r *rand.Rand, n int) []uint64 {
	hs := make([]uint64, n)
	for i := range hs {
		hs[i] = r.Uint64()
	}
	return hs
}

// Law: bytes are a function of the set, not of the order of additions nor of
// earlier writes. Add reports exactly whether they change. Decode is the inverse.
func TestVisitorsBytes(t *testing.T) {
	r := seeded(t)
	for _, n := range []int{0, 1, 2, 3, 4, 15, 16, 17, 18, 63, 64, 65, 1000, 2047, 2048, 2049, 5000} {
		hs := hashes(r, n)
		if n > 0 {
			hs[r.IntN(n)] = 0 // a valid hash like any other
		}
		want := cellOf(hs).Append(nil)
		again := append(slices.Clone(hs), hs[:n/2]...)
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		v := &Visitors{}
		last := v.Append(nil)
		for i, h := range again {
			changed := v.Add(h)
			if n <= 100 || i%97 == 0 || i == len(again)-1 || v.Len() > 2040 && i%3 == 0 {
				now := v.Append(nil)
				if i == 0 || n <= 100 {
					if changed == bytes.Equal(now, last) {
						t.Fatalf("n %d: Add says changed %v, but bytes equal %v", n, changed, !changed)
					}
				}
				last = now
			}
			if i%101 == 7 { // evicted and reloaded
				b := v.Append(nil)
				v.Release()
				if err := v.Decode(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := v.Append(nil)
		if !bytes.Equal(got, want) {
			t.Fatalf("n %d: other bytes in another order", n)
		}
		if v.IsSketch() != (n > MaxExact) || !v.IsSketch() && v.Len() != n {
			t.Fatalf("n %d: sketch %v, length %d", n, v.IsSketch(), v.Len())
		}
	}
}

// In a sketch, Add returns true only when a register grows.
func TestSketchAddSaysChange(t *testing.T) {
	r := seeded(t)
	v := cellOf(hashes(r, 3000))
	for range 2000 {
		before := v.Append(nil)
		if changed := v.Add(r.Uint64()); changed == bytes.Equal(before, v.Append(nil)) {
			t.Fatalf("Add says changed %v", changed)
		}
	}
}

// The library, given the same hashes, has the same registers, and reads our bytes.
func TestSketchIsDataSketches(t *testing.T) {
	r := seeded(t)
	hs := hashes(r, 20000)
	lib, err := hll.NewHllSketch(lgK, hll.TgtHllTypeHll8)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hs {
		if err := lib.UpdateInt64(int64(h)); err != nil {
			t.Fatal(err)
		}
	}
	theirs, err := lib.ToUpdatableSlice()
	if err != nil {
		t.Fatal(err)
	}
	ours := cellOf(hs).Append(nil)[1:]
	if !bytes.Equal(ours[sketchHeader:], theirs[sketchHeader:]) {
		t.Fatal("registers differ from the library's")
	}
	if !bytes.Equal(ours[16:36], theirs[16:36]) {
		t.Fatalf("derived fields differ: %x, the library's %x", ours[16:36], theirs[16:36])
	}
	back, err := hll.NewHllSketchFromSlice(ours, true)
	if err != nil {
		t.Fatal(err)
	}
	want, err := lib.GetCompositeEstimate()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := back.GetEstimate(); err != nil || got != want {
		t.Fatalf("the library estimates %v from our bytes, %v from its own (%v)", got, want, err)
	}
}

// Merging is commutative, associative and idempotent. It is exact with exact cells,
// and equals the sketch of all members when one of them is a sketch.
func TestMerger(t *testing.T) {
	r := seeded(t)
	for range 30 {
		all := hashes(r, 1+r.IntN(9000))
		var cells [][]byte
		sketch := false
		for range 1 + r.IntN(6) {
			part := all[:r.IntN(len(all))]
			v := cellOf(part)
			sketch = sketch || v.IsSketch()
			cells = append(cells, v.Append(nil))
		}
		cells = append(cells, cellOf(all).Append(nil))
		sketch = sketch || len(all) > MaxExact
		var u, shuffled, merged Merger
		for _, c := range cells {
			must(t, u.Add(c, nil))
			var one Merger
			must(t, one.Add(c, nil))
			merged.Merge(&one)
		}
		for _, i := range append(r.Perm(len(cells)), r.Perm(len(cells))...) {
			must(t, shuffled.Add(cells[i], nil))
		}
		n, exact, relative, err := u.Estimate()
		must(t, err)
		for _, o := range []*Merger{&shuffled, &merged} {
			if n2, exact2, _, _ := o.Estimate(); n2 != n || exact2 != exact {
				t.Fatalf("another order gives %d %v, not %d %v", n2, exact2, n, exact)
			}
		}
		if exact == sketch || exact && (n != uint64(len(all)) || relative != 0) {
			t.Fatalf("%d persons: %d, exact %v, relative error %v", len(all), n, exact, relative)
		}
		var flat Merger
		for _, h := range all {
			flat.AddHash(h)
		}
		if !bytes.Equal(flat.AppendSketch(nil), u.AppendSketch(nil)) {
			t.Fatal("the merged sketch is not that of all persons")
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMergerMapsPersons(t *testing.T) {
	var u Merger
	must(t, u.Add(cellOf([]uint64{1, 2, 3}).Append(nil), func(h uint64) uint64 { return min(h, 2) }))
	must(t, u.Add(cellOf([]uint64{3}).Append(nil), func(h uint64) uint64 { return min(h, 2) }))
	if n, exact, _, err := u.Estimate(); n != 2 || !exact || err != nil {
		t.Fatalf("%d, exact %v, %v: want 2", n, exact, err)
	}
}

// The stated error is a 95 % bound: over many sets of many sizes, alone and as
// unions, about one estimate in twenty is outside of it.
func TestRelativeErrorIsTrue(t *testing.T) {
	r := seeded(t)
	outside, trials := 0, 0
	worst := 0.0
	for _, size := range []int{2049, 3000, 5000, 10000, 20000, 40000, 60000, 120000, 400000} {
		for range max(20, min(120, 1_200_000/size)) {
			parts := 1 + r.IntN(4)
			var u Merger
			for range parts {
				v := &Visitors{}
				v.more = &more{sketch: newRegisters()}
				for range size / parts {
					v.Add(r.Uint64())
				}
				must(t, u.Add(v.Append(nil), nil))
			}
			n, _, relative, err := u.Estimate()
			must(t, err)
			off := math.Abs(float64(n)/float64(size/parts*parts) - 1)
			worst = max(worst, off)
			trials++
			if off > relative {
				outside++
			}
			u.Reset()
		}
	}
	share := float64(outside) / float64(trials)
	t.Logf("%d trials: %.1f %% outside of ±%.1f %%, worst %.2f %%", trials, 100*share, 100*RelativeError, 100*worst)
	// 5 % of some 800 trials is 40 ± 6; below 7.5 % is 4 standard deviations.
	if share > 0.075 {
		t.Errorf("%.1f %% of the estimates lie outside of the stated error: it is not a 95 %% bound", 100*share)
	}
	if worst > 4*RelativeError {
		t.Errorf("an estimate is off by %.2f %%", 100*worst)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{kindExact}, true)
	f.Add(cellOf([]uint64{1, 2, 3}).Append(nil), true)
	f.Add(cellOf(hashes(rand.New(rand.NewPCG(1, 1)), 3000)).Append(nil), true)
	f.Add([]byte{kindExact, 1, 2, 3}, true)
	f.Fuzz(func(t *testing.T, b []byte, _ bool) {
		var v Visitors
		err := v.Decode(b)
		var u Merger
		if uerr := u.Add(b, nil); (uerr == nil) != (err == nil) {
			t.Fatalf("Decode says %v, Merger.Add %v", err, uerr)
		}
		if err == nil && !v.IsSketch() && !bytes.Equal(v.Append(nil), b) {
			t.Fatalf("%x comes back as %x", b, v.Append(nil))
		}
		if n, err := Count(b); err == nil {
			if n2, err := Count(AppendCount(nil, n)); n2 != n || err != nil {
				t.Fatalf("count %d comes back as %d, %v", n, n2, err)
			}
		}
		if c, err := DecodeVisitCount(b); err == nil {
			if c2, err := DecodeVisitCount(c.Append(nil)); c2 != c || err != nil {
				t.Fatalf("%+v comes back as %+v, %v", c, c2, err)
			}
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{10, 1000, 2000, 100000} {
		hs := hashes(r, n)
		b.Run(fmt.Sprintf("members-%d", n), func(b *testing.B) {
			v := cellOf(hs)
			i := 0
			for b.Loop() {
				v.Add(hs[i%n])
				i++
			}
		})
	}
	b.Run("baseline-go-map-2000", func(b *testing.B) {
		m := map[uint64]bool{}
		hs := hashes(r, 2000)
		i := 0
		for b.Loop() {
			m[hs[i%2000]] = true
			i++
		}
	})
}

func BenchmarkMerger(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 3))
	exact, sketch := cellOf(hashes(r, 2000)).Append(nil), cellOf(hashes(r, 9000)).Append(nil)
	var u Merger
	b.Run("exact-2000", func(b *testing.B) {
		for b.Loop() {
			_ = u.Add(exact, nil)
		}
	})
	b.Run("sketch", func(b *testing.B) {
		for b.Loop() {
			_ = u.Add(sketch, nil)
		}
	})
	b.Run("estimate", func(b *testing.B) {
		for b.Loop() {
			_, _, _, _ = u.Estimate()
		}
	})
	b.Run("append-exact", func(b *testing.B) {
		v := cellOf(hashes(r, 2000))
		var dst []byte
		for b.Loop() {
			dst = v.Append(dst[:0])
		}
	})
}

// A sketch made as one has the bytes of a cell that became one. An exact cell made
// from a list has the bytes of a cell that grew.
func TestSketchAndExactAreCells(t *testing.T) {
	r := seeded(t)
	hs := hashes(r, 6000)
	a, b := NewSketch(), NewSketch()
	for i, h := range hs {
		if i%2 == 0 {
			a.Add(h)
		} else {
			b.Add(h)
		}
	}
	a.Merge(b)
	if !bytes.Equal(a.Append(nil), cellOf(hs).Append(nil)) {
		t.Error("a sketch has other bytes than the cell of its persons")
	}
	a.Release()
	few := hs[:MaxExact]
	slices.Sort(few)
	if !bytes.Equal(AppendExact(nil, few), cellOf(few).Append(nil)) {
		t.Error("AppendExact writes other bytes than the cell of its persons")
	}
}
