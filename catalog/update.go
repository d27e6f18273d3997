package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"speedlayer/store"
)

// attempts bounds how often a change of the pointer row is tried: each try fails
// only because another change has succeeded meanwhile, and changes are rare.
const attempts = 1000

// Update changes the pointer row: it reads the row, has change make the next one,
// and writes that by compare-and-set. If another process changed the row in
// between, all of this is done again with the new row, up to a bound. So change
// may be called several times, and what it does besides must be harmless to
// repeat. It owns what it is given. If it returns false, the row stays as it is.
//
// Update returns the row as it is then. The counter is its business alone.
func Update(ctx context.Context, st store.Control, change func(p *store.Pointer) (bool, error)) (store.Pointer, error) {
	for range attempts {
		p, err := st.Pointer(ctx)
		if err != nil {
			return p, err
		}
		next, changed, err := swap(ctx, st, p, change)
		switch {
		case err == nil && !changed:
			return p, nil
		case !errors.Is(err, store.ErrConflict):
			return next, err
		}
	}
	return store.Pointer{}, fmt.Errorf("%w: gave up after %d attempts to change the pointer row", store.ErrConflict, attempts)
}

// UpdateFrom is Update of a row that must still be the one given. Its error is
// store.ErrConflict when it is not: so a process that relies on what it knows of
// the row notices every change by others.
func UpdateFrom(ctx context.Context, st store.Control, p store.Pointer, change func(p *store.Pointer)) (store.Pointer, error) {
	next, _, err := swap(ctx, st, p, func(p *store.Pointer) (bool, error) {
		change(p)
		return true, nil
	})
	return next, err
}

func swap(ctx context.Context, st store.Control, p store.Pointer, change func(p *store.Pointer) (bool, error)) (next store.Pointer, changed bool, err error) {
	next = clone(p)
	if changed, err = change(&next); err != nil || !changed {
		return p, false, err
	}
	next.Counter = p.Counter + 1
	return next, true, st.SwapPointer(ctx, p.Counter, next)
}

// clone copies what a change may write to. Runs are only ever replaced, but for
// the one that is under way.
func clone(p store.Pointer) store.Pointer {
	p.Generations = slices.Clone(p.Generations)
	if p.Running != nil {
		running := *p.Running
		p.Running = &running
	}
	return p
}
