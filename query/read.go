package query

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"speedlayer/store"
)

// attempts is how often a reading is tried when the pointer moves. The pointer moves
// a few times in a batch run, so two moves in a row are rare.
const attempts = 10

// errChanged: generations changed during every attempt.
var errChanged = errors.New("query: the list of generations changed during every attempt")

// reading is one consistent reading of the store.
//
// A store that is not atomic shows each cell as it is when the scan reaches it.
// The order of reads makes the answer right nevertheless:
//
//   - The pointer is read first and again at the end. If it did not move, no
//     generation that was read has left the list, so none was dropped, and no
//     generation with events was missed.
//   - Commits are read before cells: every event below them was durable in its
//     cell then.
//   - Each cell is read in the newest generation first and in the oldest last.
//     An event of the older generation that a marker has not ended yet comes
//     before any event of the newer one. So a later event is never seen without
//     an earlier one of the same cell.
type reading struct {
	store.Reader
	pointer     store.Pointer
	views       Views    // views of the pointer's run; nil if there is none
	generations []uint32 // open generations, newest first
	commits     []store.ShardCommit
	ahead       bool // a cell is above what is covered
}

// read calls do with a reading, and repeats it from the start if the pointer changed
// in the meantime. do must then discard its previous results.
func (e *Engine) read(ctx context.Context, do func(r *reading) error) error {
	for range attempts {
		changed, err := e.readOnce(ctx, do)
		if err != nil {
			return err
		}
		if !changed {
			return nil
		}
	}
	return errChanged
}

func (e *Engine) readOnce(ctx context.Context, do func(r *reading) error) (changed bool, err error) {
	reader, err := e.cfg.Store.Read(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the store: %w", err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	r := &reading{Reader: reader}
	if err := r.begin(ctx); err != nil {
		return false, err
	}
	if r.views, err = e.openViews(ctx, r.pointer.Current); err != nil {
		return e.changedSince(ctx, &r.pointer, err)
	}
	if r.views != nil {
		defer func() { err = errors.Join(err, r.views.Close()) }()
	}
	err = do(r)
	if reader.Atomic() {
		return false, err // everything was read at one moment
	}
	// The error may come from a generation that was dropped during the read. Then the
	// pointer has changed, and the answer is in the generations that it names now.
	again, err2 := reader.Pointer(ctx)
	if err2 != nil {
		return false, errors.Join(err, fmt.Errorf("reading the pointer again: %w", err2))
	}
	if answersChange(&r.pointer, &again) {
		return true, nil
	}
	return false, err
}

// answersChange reports whether queries read other views or generations by a pointer
// than by the previous one. Other changes of the row do not matter to them: the
// renewal of a run, a number that is taken, generations that leave the list after a
// run. Views and generations cannot change and change back, because no number is used
// twice: a run that becomes current, also by a rollback, leaves a different list than
// it found.
func answersChange(before, now *store.Pointer) bool {
	name := func(r *store.Run) (n uint32, views string) {
		if r == nil {
			return 0, ""
		}
		return r.Number, r.Views
	}
	n, views := name(before.Current)
	n2, views2 := name(now.Current)
	return n != n2 || views != views2 || !slices.Equal(before.Open(), now.Open())
}

// changedSince reports whether the pointer has changed, and returns err if it has not:
// views that cannot be opened may be those of a run that two others have followed.
func (e *Engine) changedSince(ctx context.Context, before *store.Pointer, err error) (bool, error) {
	reader, err2 := e.cfg.Store.Read(ctx)
	if err2 != nil {
		return false, errors.Join(err, err2)
	}
	p, err2 := reader.Pointer(ctx)
	err2 = errors.Join(err2, reader.Close())
	if err2 == nil && answersChange(before, &p) {
		return true, nil
	}
	return false, errors.Join(err, err2)
}

func (r *reading) begin(ctx context.Context) (err error) {
	if r.pointer, err = r.Reader.Pointer(ctx); err != nil {
		return fmt.Errorf("reading the pointer: %w", err)
	}
	r.generations = slices.Clone(r.pointer.Generations)
	slices.Sort(r.generations)
	if run := r.pointer.Current; run != nil {
		first, _ := slices.BinarySearch(r.generations, run.Number)
		r.generations = r.generations[first:]
	}
	slices.Reverse(r.generations)
	if r.commits, err = r.Reader.Commits(ctx); err != nil {
		return fmt.Errorf("reading the commits: %w", err)
	}
	if run := r.pointer.Current; run != nil {
		r.raise(run.Vector)
	}
	slices.SortFunc(r.commits, func(a, b store.ShardCommit) int { return a.Shard.Compare(b.Shard) })
	return nil
}

// raise makes covered at least the vector of a run. What is below it is in the batch
// views, even if no processor has committed it.
func (r *reading) raise(vector []store.VectorEntry) {
	for _, v := range vector {
		s := store.Shard{Epoch: v.Epoch, Partition: v.Partition}
		i := slices.IndexFunc(r.commits, func(c store.ShardCommit) bool { return c.Shard == s })
		if i < 0 {
			r.commits = append(r.commits, store.ShardCommit{Shard: s, Commit: store.Commit{Offset: v.Offset}})
		} else if r.commits[i].Commit.Offset < v.Offset {
			r.commits[i].Commit.Offset = v.Offset
		}
	}
}

// scan calls fn with the cells of all generations, the newest generation first.
func (r *reading) scan(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	for _, g := range r.generations {
		if err := r.scanGeneration(ctx, g, rg, fn); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) scanGeneration(ctx context.Context, g uint32, rg store.Range, fn func(c *store.ScanCell) error) error {
	return r.scanBy(ctx, r.Scan, g, rg, fn)
}

// scanner is a way to scan a store.
type scanner func(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error

// scanBy scans one generation. It ends with the context, whatever the store does.
func (r *reading) scanBy(ctx context.Context, scan scanner, g uint32, rg store.Range, fn func(c *store.ScanCell) error) error {
	n, atomic := 0, r.Atomic()
	visit := func(c *store.ScanCell) error {
		if n++; n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !atomic {
			r.ahead = r.ahead || c.Version > r.coveredOf(c.Shard)
		}
		return fn(c)
	}
	rg.Generation = g
	if err := scan(ctx, rg, visit); err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	return nil
}

func (r *reading) coveredOf(s store.Shard) int64 {
	i, ok := slices.BinarySearchFunc(r.commits, s, func(c store.ShardCommit, s store.Shard) int { return c.Shard.Compare(s) })
	if !ok {
		return 0
	}
	return r.commits[i].Commit.Offset
}
