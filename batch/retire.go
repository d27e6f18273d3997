package batch

import (
	"context"
	"slices"
	"time"

	"speedlayer/catalog"
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
	return catalog.Update(ctx, r.Store, func(p *store.Pointer) (bool, error) {
		if p.Previous == nil {
			return false, nil // before the second run, generation 0 is needed for a rollback to none
		}
		left := p.Generations
		for len(left) > 0 && left[0] < p.Previous.Number {
			left = left[1:]
		}
		if len(left) == len(p.Generations) {
			return false, nil
		}
		p.Generations = left
		r.step("leave", p.Previous.Number)
		return true, nil
	})
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
