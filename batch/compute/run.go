package compute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"speedlayer/batch/views"
	"speedlayer/store"
)

// formatVersion is part of the name of a run in the work folder. Work of another
// version of this package cannot be used.
const formatVersion = 1

// Run computes the views of everything in the log up to the vector and returns
// their folder, which is complete (views.Open). The result is a function of log,
// vector, number and edges. Memory, workers and crashes during the run do not change
// a byte. If the result already exists, Run does nothing.
//
// An interrupted run continues after the units of work that it had finished. Two runs
// in one work folder at a time are refused.
func Run(ctx context.Context, in Input) (dir string, err error) {
	if in, err = in.withDefaults(); err != nil {
		return "", err
	}
	fs := in.FS
	for _, d := range []string{in.WorkDir, in.OutDir} {
		if err := fs.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	if err := views.SyncDir(fs, fs.PathDir(in.OutDir)); err != nil {
		return "", err
	}
	lock, err := fs.Lock(fs.PathJoin(in.WorkDir, "LOCK"))
	if err != nil {
		return "", fmt.Errorf("batch run: work folder %s is in use: %w", in.WorkDir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()

	r, err := newRunner(ctx, in)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("run-%06d-%016x", in.Number, r.key)
	final := fs.PathJoin(in.OutDir, name)
	r.result = final + temporary
	r.dir = fs.PathJoin(in.WorkDir, fmt.Sprintf("%s%016x", workPrefix, r.workKey()))
	if done, err := r.isDone(final); err != nil || done {
		return final, err
	}
	err = r.compute(ctx)
	if errors.Is(err, errSpill) { // once: nothing is left of an earlier process
		if err = fs.RemoveAll(r.dir); err == nil {
			err = r.compute(ctx)
		}
	}
	if err != nil {
		return "", fmt.Errorf("batch run %d: %w", in.Number, err)
	}
	if err := r.publish(final); err != nil {
		return "", fmt.Errorf("batch run %d: %w", in.Number, err)
	}
	return final, nil
}

const (
	workPrefix = "work-"
	temporary  = ".tmp"
)

// runner is one process of a run.
type runner struct {
	in        Input
	fs        vfs.FS
	dir       string // of spills
	result    string // folder of the views until they are complete
	rows      int64  // number of rows of the log, according to the offsets
	key       uint64 // hash of everything the result depends on
	canonical canonical
	memory    int64 // for each worker
	parts     struct{ persons, urls int }
	progress  progress

	scans  []*spillReader // by shard
	people []*spillReader // by part of the persons
	total  counts
}

// Rows of a part: of the urls, so that one worker sorts about a million at a time;
// the number of parts affects the result.
const (
	rowsPerURLPart  = 1 << 20
	maxURLParts     = 16
	maxPersonsParts = 256
)

func newRunner(ctx context.Context, in Input) (*runner, error) {
	r := &runner{in: in, fs: in.FS, canonical: resolve(in.Edges), memory: max(4<<10, in.MemoryBytes/int64(in.Workers))}
	for _, v := range in.Vector {
		start, err := in.Log.Start(ctx, shardOf(v))
		if err != nil {
			return nil, fmt.Errorf("begin of %v: %w", shardOf(v), err)
		}
		r.rows += max(0, v.Offset-start)
	}
	r.parts.urls = powerOfTwo(r.rows/rowsPerURLPart, maxURLParts)
	// Most parts of the persons should be sorted in memory, although they are uneven.
	r.parts.persons = powerOfTwo(3*r.rows/2/int64(newWorker(r, "", persons).numbered.limit), maxPersonsParts)
	r.progress = progress{tell: in.Progress, total: stages * r.rows, began: time.Now()}

	h := xxh3.New()
	enc := json.NewEncoder(h)
	if err := errors.Join(enc.Encode(in.Number), enc.Encode(in.Vector), enc.Encode(in.Edges)); err != nil {
		return nil, err
	}
	r.key = h.Sum64()
	return r, nil
}

// powerOfTwo returns the smallest power of two above n, or most if that is smaller.
func powerOfTwo(n int64, most int) int {
	p := 1
	for p < most && int64(p) <= n {
		p *= 2
	}
	return p
}

// workKey identifies a spill: the inputs and how they are partitioned.
func (r *runner) workKey() uint64 {
	return xxh3.HashString(fmt.Sprint(formatVersion, r.key, r.parts))
}

// isDone reports whether the result exists.
func (r *runner) isDone(final string) (bool, error) {
	if _, err := r.fs.Stat(final); errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	v, err := views.OpenFS(r.fs, final)
	if err != nil {
		return false, fmt.Errorf("batch run %d: its result is there, but damaged; remove it: %w", r.in.Number, err)
	}
	return true, v.Close()
}

// compute makes the views, but does not publish them.
func (r *runner) compute(ctx context.Context) error {
	r.scans, r.people, r.total = nil, nil, counts{}
	if err := r.clean(); err != nil {
		return err
	}
	return r.stages(ctx)
}

// clean removes what other runs left, and unfinished sorts.
func (r *runner) clean() error {
	for _, place := range []struct{ dir, prefix, suffix, keep string }{
		{r.in.WorkDir, workPrefix, "", r.dir},
		{r.in.OutDir, "run-", temporary, r.result},
	} {
		names, err := r.fs.List(place.dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			path := r.fs.PathJoin(place.dir, name)
			if strings.HasPrefix(name, place.prefix) && strings.HasSuffix(name, place.suffix) && path != place.keep {
				if err := r.fs.RemoveAll(path); err != nil {
					return err
				}
			}
		}
		if err := r.fs.MkdirAll(place.keep, 0o755); err != nil {
			return err
		}
		if err := views.SyncDir(r.fs, place.dir); err != nil {
			return err
		}
	}
	return nil
}

// stages does the remaining work, one stage after the other.
func (r *runner) stages(ctx context.Context) (err error) {
	defer func() {
		for _, s := range append(r.scans, r.people...) {
			err = errors.Join(err, s.close())
		}
	}()
	err = r.stage(ctx, scans, len(r.in.Vector), func(ctx context.Context, w *worker, i int) error { return r.scan(ctx, w, r.in.Vector[i]) },
		func(i int) string { return scanName(shardOf(r.in.Vector[i])) }, &r.scans)
	if err != nil {
		return err
	}
	if err := r.stage(ctx, persons, r.parts.persons, r.persons, personsName, &r.people); err != nil {
		return err
	}
	return r.stage(ctx, cells, r.parts.urls, r.cells, partName, nil)
}

// stage runs the unfinished units of a stage, as many at a time as there are workers,
// and opens their spills.
func (r *runner) stage(ctx context.Context, kind stageKind, units int, do func(ctx context.Context, w *worker, unit int) error,
	name func(unit int) string, spills *[]*spillReader,
) error {
	idle := make(chan *worker, r.in.Workers)
	for i := range r.in.Workers {
		idle <- newWorker(r, fmt.Sprintf("sort-%d-", i), kind)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.in.Workers)
	for unit := range units {
		c, _, done, err := readDone(r.fs, r.dir, name(unit))
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		if done {
			r.progress.skip(r.work(kind, c), c.Rows)
			continue
		}
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			w := <-idle
			err := do(gctx, w, unit)
			idle <- w
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for unit := range units {
		c, index, done, err := readDone(r.fs, r.dir, name(unit))
		if err == nil && !done {
			err = fmt.Errorf("%s was finished and is not", name(unit))
		}
		if err != nil {
			return err
		}
		r.total.add(c)
		if spills == nil {
			continue
		}
		s, err := openSpill(r.fs, r.dir, name(unit), index)
		if err != nil {
			return err
		}
		*spills = append(*spills, s)
	}
	return nil
}

// publish completes the folder of the views, renames it to its final name, and removes
// the spills.
func (r *runner) publish(final string) error {
	run := store.Run{Number: r.in.Number, Vector: r.in.Vector}
	info := r.total.info()
	info[views.InfoLost] = strconv.FormatInt(r.in.Lost, 10)
	if err := views.Finish(r.fs, r.result, run, r.parts.urls, r.canonical.list(), info); err != nil {
		return err
	}
	if err := r.fs.Rename(r.result, final); err != nil {
		return err
	}
	if err := views.SyncDir(r.fs, r.in.OutDir); err != nil {
		return err
	}
	r.progress.finish()
	return r.fs.RemoveAll(r.dir)
}

// work returns how much work a finished unit was; see progress.
func (r *runner) work(kind stageKind, c counts) int64 {
	switch kind {
	case scans:
		return c.Rows
	case persons:
		return c.Events + c.Duplicates
	default:
		return r.progress.total / stages / int64(r.parts.urls)
	}
}

type stageKind int

const (
	scans stageKind = iota
	persons
	cells
)

// worker holds what needs much memory and is used by one unit at a time.
type worker struct {
	block    []byte
	buffers  [][]byte // of spills
	numbered *sorter[numbered]
	placed   *sorter[placed]
	seenBy   *sorter[seenBy]
	begunBy  *sorter[begunBy]

	// These are used when the urls of a part do not fit into memory.
	names *names
	seen  *sorter[seen]
	begun *sorter[begun]
}

func newWorker(r *runner, name string, kind stageKind) *worker {
	file := func(s string) string { return r.fs.PathJoin(r.dir, name+s) }
	switch kind {
	case persons:
		each := r.rows / int64(max(1, r.parts.persons))
		return &worker{
			numbered: newSorter[numbered](r.fs, file("numbered"), 2*r.memory/5, each),
			placed:   newSorter[placed](r.fs, file("placed"), 2*r.memory/5, each),
		}
	case cells:
		return &worker{
			seenBy:  newSorter[seenBy](r.fs, file("seen-by"), 2*r.memory/5, r.rows/int64(r.parts.urls)),
			begunBy: newSorter[begunBy](r.fs, file("begun-by"), r.memory/10, 0),
			names:   &names{fs: r.fs, path: file("names"), ranks: newSorter[ranked](r.fs, file("ranks"), r.memory/20, 0)},
			seen:    newSorter[seen](r.fs, file("seen"), r.memory/10, 0),
			begun:   newSorter[begun](r.fs, file("begun"), r.memory/10, 0),
		}
	}
	return &worker{}
}
