package compute_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"speedlayer/batch/compute"
	"speedlayer/batch/views"
	"speedlayer/store"
)

var errPower = errors.New("the power is lost")

// power fails at one change of the file system, and all later changes fail too.
type power struct {
	disk *vfs.MemFS
	rng  *rand.Rand
	at   int // 0: never

	mu   sync.Mutex
	n    int
	left *vfs.MemFS // what the disk holds after the failure
}

func (p *power) String() string { return "power" }

// MaybeError implements errorfs.Injector.
func (p *power) MaybeError(op errorfs.Op) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left != nil {
		return errPower
	}
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpRename, errorfs.OpMkdirAll,
		errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
	default:
		return nil
	}
	if p.n++; p.n != p.at {
		return nil
	}
	p.left = p.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 90, 100}[p.rng.IntN(4)], RNG: p.rng})
	return errPower
}

// read returns the files of a folder, by name.
func read(t *testing.T, fs vfs.FS, dir string) map[string]string {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	files := map[string]string{}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin(dir, name))
		must(t, err)
		b, err := io.ReadAll(f)
		must(t, err)
		must(t, f.Close())
		files[name] = string(b)
	}
	return files
}

func sameFiles(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s has %d bytes, others than the %d of a run without a crash", name, len(got[name]), len(want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is in the result, but not without a crash", name)
		}
	}
}

// The power fails at each change of the file system, at some twice. The run that
// continues produces the same bytes. What Run has returned is durable.
func TestCrashAtEveryChange(t *testing.T) {
	r := seeded(t)
	w := newWorld(t, r)
	w.incarnation(2, 300)
	w.incarnation(3, 300)
	for range 8 {
		w.edge()
	}
	in := w.input(w.vector(true))
	in.MemoryBytes, in.Workers = 12_000, 1 // spills, in several parts
	in.WorkDir, in.OutDir = "/data/work", "/data/out"

	disk := vfs.NewCrashableMem()
	p := &power{disk: disk, rng: r}
	in.FS = errorfs.Wrap(disk, p)
	must(t, disk.MkdirAll("/data", 0o755))
	must(t, views.SyncDir(disk, "/"))
	start := disk.CrashClone(vfs.CrashCloneCfg{})
	dir, err := compute.Run(t.Context(), in)
	must(t, err)
	changes := p.n
	want := read(t, disk.CrashClone(vfs.CrashCloneCfg{}), dir)
	check(t, disk, dir, w.oracle(in.Vector), in)
	if left, err := disk.List(in.WorkDir); err != nil || len(left) > 1 {
		t.Errorf("the work folder holds %v after the run, %v", left, err)
	}

	points := 0
	for at := 1; at <= changes; at += crashEvery {
		disk := start.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})
		for attempt := 0; ; attempt++ {
			p := &power{disk: disk, rng: r}
			if attempt == 0 {
				p.at = at
			} else if attempt <= 2 && r.IntN(2) == 0 {
				p.at = 1 + r.IntN(changes)
			}
			in.FS = errorfs.Wrap(disk, p)
			dir, err := compute.Run(t.Context(), in)
			if p.left != nil {
				points++
				disk = p.left
				continue // whether it had returned or not
			}
			if err != nil {
				t.Fatalf("crash at change %d: the next attempt says %v", at, err)
			}
			sameFiles(t, read(t, disk, dir), want)
			break
		}
		if t.Failed() {
			t.Fatalf("crash at change %d of %d", at, changes)
		}
	}
	t.Logf("%d changes, %d crash points", changes, points)
	if want := 300 / crashEvery; points < want {
		t.Errorf("%d crash points: want %d at least", points, want)
	}
}

// An interrupted run does not repeat what it finished. Another vector discards that
// work. Two runs in one work folder at a time are refused.
func TestResume(t *testing.T) {
	r := seeded(t)
	w := newWorld(t, r)
	w.incarnation(3, 400)
	whole := w.vector(true)
	disk := vfs.NewMem()
	in := w.input(whole)
	in.FS, in.Workers, in.MemoryBytes = disk, 1, 40_000
	log := &counting{Log: in.Log}
	in.Log = log

	// The disk is full when the result is begun.
	in.FS = errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.Contains(op.Path, "0000-bounces-day") {
			return errPower
		}
		return nil
	}))
	if _, err := compute.Run(t.Context(), in); !errors.Is(err, errPower) {
		t.Fatalf("a full disk: %v", err)
	}
	if log.scans != 3 {
		t.Fatalf("%d shards read", log.scans)
	}
	in.FS = disk
	before := workFolders(t, disk, in.WorkDir)
	if len(before) != 1 {
		t.Fatalf("work folders %v", before)
	}
	// Another vector does not use the existing work, and removes it.
	other := in
	other.Vector = slices.Clone(whole)
	longest := &other.Vector[0]
	for i := range other.Vector {
		if v := &other.Vector[i]; v.Offset > longest.Offset {
			longest = v
		}
	}
	longest.Offset -= 20 // still as many parts as before
	dir, err := compute.Run(t.Context(), other)
	must(t, err)
	check(t, disk, dir, w.oracle(other.Vector), other)
	if left := workFolders(t, disk, in.WorkDir); len(left) != 0 {
		t.Fatalf("work folders %v are left", left)
	}
	log.scans = 0
	in.FS = errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRename && strings.HasSuffix(op.Path, "run.json.tmp") {
			return errPower
		}
		return nil
	}))
	if _, err := compute.Run(t.Context(), in); !errors.Is(err, errPower) {
		t.Fatalf("a full disk: %v", err)
	}
	in.FS = disk
	var told []compute.Progress
	in.Progress = func(p compute.Progress) { told = append(told, p) }
	dir, err = compute.Run(t.Context(), in)
	must(t, err)
	if n := len(told); n < 2 || told[n-1].Share != 1 || told[n-1].Rows != rowsOf(w, whole) || told[0].Share <= 0 {
		t.Errorf("progress %+v: of a run that goes on it begins with what was done, and ends with 1", told)
	}
	if log.scans != 3 {
		t.Errorf("%d scans of 3 shards: a finished stage was done again", log.scans)
	}
	check(t, disk, dir, w.oracle(whole), in)
	// A further run finds the result.
	again, err := compute.Run(t.Context(), in)
	if err != nil || again != dir || log.scans != 3 {
		t.Errorf("%s, %v, %d scans", again, err, log.scans)
	}
}

// rowsOf returns how many rows of the log are below a vector.
func rowsOf(w *world, vector []store.VectorEntry) (n int64) {
	for _, v := range vector {
		n += v.Offset - w.epochs[v.Epoch].Starts[v.Partition]
	}
	return n
}

// counting counts scans.
type counting struct {
	compute.Log
	scans int
}

func (l *counting) Scan(ctx context.Context, s store.Shard, from, to int64, fn func(*compute.Batch) error) error {
	l.scans++
	return l.Log.Scan(ctx, s, from, to, fn)
}

// workFolders lists the folders of spills.
func workFolders(t *testing.T, fs vfs.FS, dir string) (names []string) {
	t.Helper()
	all, err := fs.List(dir)
	must(t, err)
	for _, name := range all {
		if strings.HasPrefix(name, "work-") {
			names = append(names, name)
		}
	}
	return names
}

// Checksums detect a spill that was changed after it was written, as by a loss of
// power. The run then begins again.
func TestDamagedSpill(t *testing.T) {
	r := seeded(t)
	w := newWorld(t, r)
	w.incarnation(2, 300)
	in := w.input(w.vector(true))
	log := &counting{Log: in.Log}
	in.Log, in.Workers = log, 1
	for _, prefix := range []string{"scan-", "persons-"} {
		disk := vfs.NewMem()
		in.FS = errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, "0000-bounces-day.sst.tmp") {
				return errPower
			}
			return nil
		}))
		if _, err := compute.Run(t.Context(), in); !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		in.FS = disk
		folder := disk.PathJoin(in.WorkDir, workFolders(t, disk, in.WorkDir)[0])
		damaged := 0
		for name, text := range read(t, disk, folder) {
			if !strings.HasPrefix(name, prefix) || strings.HasSuffix(name, ".done") || text == "" {
				continue
			}
			b := []byte(text)
			for i := range b { // each block, because not all of them are read again
				b[i] ^= 1
			}
			f, err := disk.Create(disk.PathJoin(folder, name), vfs.WriteCategoryUnspecified)
			must(t, err)
			_, err = f.Write(b[:len(b)-r.IntN(2)])
			must(t, errors.Join(err, f.Close()))
			damaged++
		}
		log.scans = 0
		dir, err := compute.Run(t.Context(), in)
		must(t, err)
		if damaged == 0 || log.scans != 2 {
			t.Errorf("%d spills %s damaged, %d shards read again", damaged, prefix, log.scans)
		}
		check(t, disk, dir, w.oracle(in.Vector), in)
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	w := newWorld(t, seeded(t))
	w.incarnation(1, 10)
	in := w.input(w.vector(true))
	in.WorkDir, in.OutDir = filepath.Join(t.TempDir(), "work"), filepath.Join(t.TempDir(), "out")
	inside := false
	in.Progress = func(compute.Progress) {
		if inside {
			return
		}
		inside = true
		if _, err := compute.Run(t.Context(), in); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second run in the same work folder: %v", err)
		}
	}
	if _, err := compute.Run(t.Context(), in); err != nil || !inside {
		t.Fatalf("%v, progress told %v", err, inside)
	}
}
