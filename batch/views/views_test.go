package views_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"speedlayer/batch/views"
	"speedlayer/store"
	"speedlayer/view"
)

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cell is a cell of the model.
type cell struct {
	view   store.ViewID
	g      views.Granularity
	url    string
	bucket int32
}

func (c cell) compare(o cell) int {
	return slices.Compare([]int{int(c.view), int(c.g), strings.Compare(c.url, o.url), int(c.bucket)},
		[]int{int(o.view), int(o.g), 0, int(o.bucket)})
}

// write makes a run from the cells of a model.
func write(t testing.TB, fs vfs.FS, dir string, run store.Run, parts int, cells map[cell][]byte, persons []views.Person) {
	t.Helper()
	must(t, fs.MkdirAll(dir, 0o755))
	sorted := slices.SortedFunc(maps.Keys(cells), cell.compare)
	for part := range parts {
		p, err := views.CreatePart(fs, dir, part)
		must(t, err)
		for _, c := range sorted {
			if views.PartOf(views.Hash([]byte(c.url)), parts) == part {
				must(t, p.Add(c.view, c.g, c.url, c.bucket, cells[c]))
			}
		}
		must(t, p.Close())
	}
	must(t, views.Finish(fs, dir, run, parts, persons, map[string]string{"events": "7"}))
}

func randomCells(r *rand.Rand) map[cell][]byte {
	urls := []string{"a.com", "a.com/", "a.com/x", "a.com/x/y", "a.com/xy", "a.com:8080", "a.com:8080/", "a.comm", "b.org", "b.org/ü", "z"}
	for i := range r.IntN(40) {
		urls = append(urls, fmt.Sprintf("site%d.net/%d", i%5, i))
	}
	cells := map[cell][]byte{}
	for range r.IntN(3000) {
		c := cell{store.ViewID(1 + r.IntN(3)), views.Granularity(r.IntN(4)), urls[r.IntN(len(urls))], int32(r.IntN(600))}
		size := r.IntN(12)
		if r.IntN(30) == 0 {
			size = r.IntN(20_000) // like the size of sketches
		}
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(r.Uint32())
		}
		cells[c] = value
	}
	return cells
}

var run = store.Run{Number: 4, Vector: []store.VectorEntry{{Epoch: 1, Partition: 2, Offset: 3}}}

// Scans return what was written, in order, for any range of urls and buckets and
// any number of parts.
func TestScans(t *testing.T) {
	r := seeded(t)
	for range 40 {
		cells, fs := randomCells(r), vfs.NewMem()
		write(t, fs, "run", run, 1+r.IntN(5), cells, nil)
		v, err := views.OpenFS(fs, "run")
		must(t, err)
		must(t, v.Verify(t.Context()))
		if !slices.Equal(v.Run().Vector, run.Vector) || v.Run().Number != run.Number || v.Info()["events"] != "7" {
			t.Fatalf("run %+v with %v", v.Run(), v.Info())
		}
		for range 60 {
			compareScans(t, r, v, cells)
		}
		must(t, v.Close())
		if err := v.Scan(1, views.Hour, "a.com", 0, 1, nil); !errors.Is(err, store.ErrClosed) && len(cells) > 0 {
			t.Fatalf("a scan of closed views: %v", err)
		}
	}
}

func compareScans(t *testing.T, r *rand.Rand, v *views.Views, cells map[cell][]byte) {
	t.Helper()
	bounds := []string{"", "a", "a.com", "a.com/", "a.com0", "a.com/x", "b", "b.org/", "site2.net", "site3.net/17", "zz"}
	view, g := store.ViewID(1+r.IntN(3)), views.Granularity(r.IntN(4))
	fromURL, toURL := bounds[r.IntN(len(bounds))], bounds[r.IntN(len(bounds))]
	from := int32(r.IntN(620)) - 10
	to := from + int32(r.IntN(400))
	if r.IntN(5) == 0 {
		from, to = 0, 1<<30
	}
	var want, got []string
	for _, c := range slices.SortedFunc(maps.Keys(cells), cell.compare) {
		if c.view == view && c.g == g && c.url >= fromURL && (toURL == "" || c.url < toURL) && c.bucket >= from && c.bucket < to {
			want = append(want, fmt.Sprintf("%s %d %x", c.url, c.bucket, cells[c]))
		}
	}
	must(t, v.ScanURLs(context.Background(), view, g, fromURL, toURL, from, to, func(url []byte, bucket int32, value []byte) error {
		got = append(got, fmt.Sprintf("%s %d %x", url, bucket, value))
		return nil
	}))
	if !slices.Equal(got, want) {
		t.Fatalf("view %d by %v, urls [%q,%q), buckets [%d,%d): %d cells, not %d:\n%.300q\n%.300q", view, g, fromURL, toURL, from, to, len(got), len(want), got, want)
	}
	scanDomains(t, v, view, g, from, to)
	for _, url := range []string{"a.com", "a.com/", "site1.net/1", "none"} {
		var want, got []string
		for b := max(0, from); b < min(to, 1000); b++ {
			if value, ok := cells[cell{view, g, url, b}]; ok {
				want = append(want, fmt.Sprintf("%d %x", b, value))
			}
		}
		must(t, v.Scan(view, g, url, from, to, func(bucket int32, value []byte) error {
			got = append(got, fmt.Sprintf("%d %x", bucket, value))
			return nil
		}))
		if !slices.Equal(got, want) {
			t.Fatalf("view %d by %v of %s in [%d,%d): %.300q, not %.300q", view, g, url, from, to, got, want)
		}
	}
}

func TestScanEndsWithItsError(t *testing.T) {
	fs, stop := vfs.NewMem(), errors.New("enough")
	write(t, fs, "run", run, 2, map[cell][]byte{{1, 0, "a", 1}: nil, {1, 0, "b", 1}: nil}, nil)
	v, err := views.OpenFS(fs, "run")
	must(t, err)
	calls := 0
	if err := v.ScanURLs(context.Background(), 1, 0, "", "", 0, 9, func([]byte, int32, []byte) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Fatalf("%d calls, %v", calls, err)
	}
	must(t, v.Close())
}

// The same cells give the same bytes, in memory or on disk.
func TestBytesAreAFunctionOfCells(t *testing.T) {
	r := seeded(t)
	cells := randomCells(r)
	persons := []views.Person{{9, 2}, {7, 1}, {8, 2}}
	dirs := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	for _, dir := range dirs {
		write(t, vfs.Default, dir, run, 3, cells, persons)
		slices.Reverse(persons)
	}
	v, err := views.Open(dirs[0])
	must(t, err)
	files, err := views.Files(dirs[0])
	must(t, err)
	for _, c := range [][2]uint64{{9, 2}, {8, 2}, {7, 1}, {1, 1}, {0, 0}, {12345, 12345}} {
		if got := v.Canonical(c[0]); got != c[1] {
			t.Errorf("the canonical person of %d is %d, not %d", c[0], got, c[1])
		}
	}
	must(t, v.Close())
	for _, name := range files {
		a, err := os.ReadFile(filepath.Join(dirs[0], name))
		must(t, err)
		b, err := os.ReadFile(filepath.Join(dirs[1], name))
		must(t, err)
		if !bytes.Equal(a, b) {
			t.Errorf("%s has other bytes the second time", name)
		}
	}
}

// A missing, truncated or changed file is an error that names the file.
func TestDamage(t *testing.T) {
	r := seeded(t)
	cells := map[cell][]byte{}
	for i := range int32(4000) {
		cells[cell{1, 0, fmt.Sprintf("a.com/%d", i%50), i}] = []byte{1, 2, 3}
	}
	original := t.TempDir()
	write(t, vfs.Default, original, run, 2, cells, []views.Person{{5, 3}})
	names, err := filepath.Glob(filepath.Join(original, "*"))
	must(t, err)
	for _, damage := range []string{"missing", "cut", "changed"} {
		for _, name := range names {
			for range 2 {
				dir := t.TempDir()
				must(t, os.CopyFS(dir, os.DirFS(original)))
				base := filepath.Base(name)
				target := filepath.Join(dir, base)
				b, err := os.ReadFile(target)
				must(t, err)
				switch damage {
				case "missing":
					must(t, os.Remove(target))
				case "cut":
					must(t, os.WriteFile(target, b[:r.IntN(len(b))], 0o600))
				case "changed":
					b[r.IntN(len(b))] ^= 1 << r.IntN(8)
					must(t, os.WriteFile(target, b, 0o600))
				}
				err = openAndVerify(t, dir)
				if err == nil || !strings.Contains(err.Error(), base) && damage != "missing" {
					t.Fatalf("%s %s: %v", base, damage, err)
				}
			}
		}
	}
}

func openAndVerify(t *testing.T, dir string) (err error) {
	v, err := views.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	err = v.Verify(t.Context())
	scanned := v.ScanURLs(context.Background(), 1, 0, "", "", 0, 1<<30, func([]byte, int32, []byte) error { return nil })
	if scanned != nil && !errors.Is(scanned, store.ErrCorrupt) {
		t.Errorf("a scan of damaged views says %v", scanned)
	}
	if err == nil && scanned != nil {
		t.Errorf("Verify says nothing of %v", scanned)
	}
	return err
}

func TestCover(t *testing.T) {
	r := seeded(t)
	for range 5000 {
		from := int32(r.IntN(3000))
		to := from + int32(r.IntN(3000))
		var apart []int32
		for range r.IntN(6) {
			apart = append(apart, int32(r.IntN(6000)))
		}
		slices.Sort(apart)
		next, buckets := from, 0
		for _, p := range views.Cover(from, to, apart) {
			f, e := p.Hours()
			if f != next || e <= f {
				t.Fatalf("[%d,%d): piece %+v where hour %d was due", from, to, p, next)
			}
			for _, h := range apart {
				if p.Granularity != views.Hour && f <= h && h < e {
					t.Fatalf("[%d,%d): hour %d lies in %+v", from, to, h, p)
				}
			}
			next, buckets = e, buckets+int(p.To-p.From)
		}
		if next != to {
			t.Fatalf("[%d,%d) is covered up to %d", from, to, next)
		}
		if most := 2*(23+6+3) + 5; len(apart) == 0 && buckets > most {
			t.Fatalf("[%d,%d) takes %d buckets, more than %d", from, to, buckets, most)
		}
	}
}

func TestNumbersAreTheRealtimeOnes(t *testing.T) {
	if views.Pageviews != view.PageviewsView || views.Uniques != view.UniquesView || views.Bounces != view.BouncesView {
		t.Error("a view has another number here")
	}
}

func TestVisits(t *testing.T) {
	r := seeded(t)
	for range 1000 {
		v := views.Visits{Raw: r.Uint64() >> r.IntN(64), Canonical: r.Uint64() >> r.IntN(64)}
		v.RawBounces, v.CanonicalBounces = v.Raw>>r.IntN(64), v.Canonical>>r.IntN(64)
		b := v.Append(nil)
		if got, err := views.DecodeVisits(b); err != nil || got != v {
			t.Fatalf("%+v comes back as %+v, %v", v, got, err)
		}
		for n := range b {
			if _, err := views.DecodeVisits(b[:n]); err == nil {
				t.Fatalf("%x of %x is taken", b[:n], b)
			}
		}
		if _, err := views.DecodeVisits(append(b, 0)); err == nil {
			t.Fatal("a byte too many is taken")
		}
	}
}

// Any number of scans may run concurrently, and within each other.
func TestScansSideBySide(t *testing.T) {
	r := seeded(t)
	cells, fs := randomCells(r), vfs.NewMem()
	cells[cell{1, 0, "a.com/", 3}] = []byte{7}
	write(t, fs, "run", run, 2, cells, nil)
	v, err := views.OpenFS(fs, "run")
	must(t, err)
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			for range 20 {
				err := v.ScanURLs(context.Background(), 1, views.Hour, "", "", 0, 1000, func(url []byte, bucket int32, value []byte) error {
					found := false
					err := v.Scan(1, views.Hour, string(url), bucket, bucket+1, func(_ int32, inner []byte) error {
						found = bytes.Equal(inner, value)
						return nil
					})
					if err == nil && !found {
						err = fmt.Errorf("%s %d: another value inside of a scan", url, bucket)
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, g.Wait())
	must(t, v.Close())
}

// scanDomains compares ScanDomains with ScanURLs, except for the order of domains.
func scanDomains(t *testing.T, v *views.Views, view store.ViewID, g views.Granularity, from, to int32) {
	t.Helper()
	var want, got []string
	add := func(to *[]string) func(url []byte, bucket int32, value []byte) error {
		return func(url []byte, bucket int32, value []byte) error {
			if to == &got || !bytes.Contains(url, []byte("/")) {
				*to = append(*to, fmt.Sprintf("%s %d %x", url, bucket, value))
			}
			return nil
		}
	}
	must(t, v.ScanURLs(context.Background(), view, g, "", "", from, to, add(&want)))
	must(t, v.ScanDomains(context.Background(), view, g, from, to, add(&got)))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("view %d by %v, buckets [%d,%d): domains are %.300q, want %.300q", view, g, from, to, got, want)
	}
}
