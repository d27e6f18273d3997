package expire

import (
	"context"
	"errors"
	"slices"
	"time"

	"speedlayer/store"
)

// Retire does what follows a completed run, as far as it is not done: the
// generations that no pointer needs any more leave the list; after the longest
// deadline of a query they are dropped, whole, and with them tables of numbers
// that never entered the list. Views of runs that are neither the current one nor
// the one before go too. Doing it again is harmless, at any time.
func (r *Runs) Retire(ctx context.Context) error {
	p, err := r.leave(ctx)
	if err != nil {
		return err
	}
	stats, err := r.Store.Stats(ctx)
	if err != nil {
		return err
	}
	if len(p.Generations) > 0 && slices.ContainsFunc(stats.Generations, func(g uint32) bool { return g < p.Generations[0] }) {
		if err := r.wait(ctx, r.DropAfter); err != nil {
			return err
		}
		for _, g := range stats.Generations {
			if g >= p.Generations[0] {
				continue
			}
			r.step("drop", g)
			if err := r.Store.DropGeneration(ctx, g); err != nil {
				return err
			}
		}
	}
	r.step("keep", 0)
	return r.Job.Keep(ctx, kept(&p), p.Next)
}

// kept are the runs whose views must stay.
func kept(p *store.Pointer) (runs []store.Run) {
	for _, run := range []*store.Run{p.Current, p.Previous} {
		if run != nil {
			runs = append(runs, *run)
		}
	}
	if p.Running != nil {
		runs = append(runs, p.Running.Run)
	}
	return runs
}

// leave takes the generations out of the list that neither the current run nor
// the one before needs. It returns the pointer as it is then.
func (r *Runs) leave(ctx context.Context) (store.Pointer, error) {
	for {
		p, err := r.Store.Pointer(ctx)
		if err != nil || p.Previous == nil {
			return p, err // before the second run, generation 0 is needed for a rollback to none
		}
		left := p
		for len(left.Generations) > 0 && left.Generations[0] < p.Previous.Number {
			left.Generations = left.Generations[1:]
		}
		if len(left.Generations) == len(p.Generations) {
			return p, nil
		}
		left.Counter++
		r.step("leave", p.Previous.Number)
		err = r.Store.SwapPointer(ctx, p.Counter, left)
		if err == nil {
			return left, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return p, err
		}
	}
}

func (r *Runs) wait(ctx context.Context, d time.Duration) error {
	if r.Wait != nil {
		return r.Wait(ctx, d)
	}
	if d == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
