package compute_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"speedlayer/batch/archive"
	"speedlayer/batch/compute"
	"speedlayer/event"
	"speedlayer/record"
	"speedlayer/store"
)

// skewed is a log of n rows that is generated while it is read. Half of the rows
// belong to one person, half are views of one page, and a tenth are repeated.
type skewed struct{ n int64 }

func (l skewed) Start(context.Context, store.Shard) (int64, error) { return 0, nil }

type texts [][]byte

func (t texts) Len() int            { return len(t) }
func (t texts) Text(i int32) []byte { return t[i] }

func (l skewed) Scan(_ context.Context, _ store.Shard, from, to int64, fn func(*compute.Batch) error) error {
	const rows = 1000
	for at := from; at < to; at += rows {
		b := compute.Batch{N: int(min(rows, to-at)), Kind: make([]archive.Kind, rows)}
		var page, person, nonce texts
		for i := at; i < at+int64(b.N); i++ {
			x := uint64(i+1) * 0x9e3779b97f4a7c15
			b.Offset = append(b.Offset, i)
			b.TS = append(b.TS, begin+i*37)
			page = append(page, []byte("hot.com/"))
			if x>>60&1 == 0 {
				page[i-at] = fmt.Appendf(nil, "site%d.com/%d", x>>50&63, x>>40&1023)
			}
			person = append(person, []byte("bot"))
			if x>>61&1 == 0 {
				person[i-at] = fmt.Appendf(nil, "p%d", x>>30&0xffff)
			}
			nonce = append(nonce, fmt.Appendf(nil, "n%d", i-i/10%2*(i%10/9)*10))
		}
		b.Page.Texts, b.Person.Texts, b.Nonce.Texts = page, person, nonce
		if err := fn(&b); err != nil {
			return err
		}
	}
	return nil
}

// Memory is bounded by the setting, not by the log, even if most of it belongs to one
// person and one url; and the setting does not change a byte.
func TestMemoryIsBounded(t *testing.T) {
	const n = rowsSorted
	var want map[string]string
	for _, c := range []struct {
		memory int64
		spills bool
	}{{256 << 20, false}, {2 << 20, true}} {
		var sorted atomic.Int64
		fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpCreate && strings.HasPrefix(filepath.Base(op.Path), "sort-") {
				sorted.Add(1)
			}
			return nil
		}))
		dir := t.TempDir()
		in := compute.Input{Log: skewed{n}, Vector: []store.VectorEntry{{Offset: n}}, Number: 1, FS: fs, MemoryBytes: c.memory,
			WorkDir: filepath.Join(dir, "work"), OutDir: filepath.Join(dir, "out"),
			Edges: []event.Edge{{ID1: "bot", ID2: "p1"}}}
		var peak uint64
		in.Progress = func(compute.Progress) {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
		runtime.GC()
		defer debug.SetGCPercent(debug.SetGCPercent(30)) // keeps garbage small
		run, err := compute.Run(t.Context(), in)
		must(t, err)
		t.Logf("%d bytes of memory: %d files sorted on disk, %d MiB of heap", c.memory, sorted.Load(), peak>>20)
		if (sorted.Load() > 0) != c.spills {
			t.Errorf("%d bytes of memory: %d files sorted on disk", c.memory, sorted.Load())
		}
		if limit := uint64(32 << 20); c.spills && peak > limit {
			t.Errorf("%d MiB of heap, allowed are %d", peak>>20, limit>>20)
		}
		files := read(t, fs, run)
		if want == nil {
			want = files
			continue
		}
		sameFiles(t, files, want)
	}
}

// Sets of up to 2,048 persons are exact and contain raw persons. Larger sets are
// sketches of canonical persons, whatever hours they were made from.
func TestSketches(t *testing.T) {
	r := seeded(t)
	w := newWorld(t, r)
	w.incarnation(2, 0)
	view := func(person int, url string, ts int64) {
		pv := event.Pageview{Person: fmt.Appendf(nil, "p%d", person), URL: []byte(url), TS: ts, HasNonce: true, Nonce: fmt.Appendf(nil, "%d-%s-%d", person, url, ts)}
		w.append(record.PartitionOf(pv.Person, 2), pv.Person, w.encode(&pv))
	}
	day := begin - begin%(28*24*hour) + 24*hour
	for p := range 2049 {
		if p < 2048 {
			view(p, "https://exact.com/", day)
		}
		view(p, "https://sketch.com/", day)
		view(p/2, "https://halves.com/", day)           // 1,025 in each of
		view(1024+p/2, "https://halves.com/", day+hour) // two hours, together 2,049
		view(p%700+700*(p%3), "https://days.com/", day+int64(p%3)*24*hour)
	}
	view(5000, "https://days.com/more", day+8*24*hour)
	for p := range 1500 {
		w.edges = append(w.edges, event.Edge{ID1: fmt.Sprint("p", p), ID2: fmt.Sprint("p", (p*7+1)%1500)})
	}
	_, err := w.archiver.Archive(t.Context())
	must(t, err)
	for _, memory := range []int64{0, 100_000} {
		in := w.input(w.vector(true))
		in.FS, in.MemoryBytes = vfs.NewMem(), memory
		dir, err := compute.Run(t.Context(), in)
		must(t, err)
		check(t, in.FS, dir, w.oracle(in.Vector), in)
	}
}
