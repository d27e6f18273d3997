package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"speedlayer/sim/torture"
)

// maxGenerations is how many generations the pointer may list, and so how many
// tables of cells there may be: those of the current run and the one before, one of
// a run under way, and one for a rollback that no second run has followed yet.
const maxGenerations = 4

// errCounted: an answer while clients post is wrong.
var errCounted = errors.New("an export counts what was not posted, or not all that was acknowledged")

// between compares, while clients post on: what was acknowledged when all was
// queryable must be in the answers, and nothing that was never posted.
func (w *world) between(ctx context.Context, crowd *torture.Crowd) error {
	if !w.cfg.Batch {
		return nil
	}
	// Of what is acknowledged now, the log's end as the nodes know it may lack
	// the last second: it is in it after the next look.
	least := crowd.Traffic().Acknowledged
	if err := w.caughtUp(ctx); err != nil {
		return err
	}
	lines, err := w.export(ctx)
	if err != nil {
		return err
	}
	var counted int64
	for _, l := range lines {
		if l.View == "pageviews" && strings.Contains(l.URL, "/") {
			counted += l.Pageviews
		}
	}
	if most := crowd.Traffic().Posted; counted < least || counted > most {
		return fmt.Errorf("%w: %d pageviews; at least %d were acknowledged, and %d posted", errCounted, counted, least, most)
	}
	now, err := w.batch(ctx)
	if err == nil && len(now.Generations) > maxGenerations {
		err = fmt.Errorf("generations %v are kept: allowed are %d", now.Generations, maxGenerations)
	}
	return err
}

// compareRuns compares when nothing comes in any more: after one more run, after
// a rollback, and after the run after that. What it finds wrong is added up.
func (w *world) compareRuns(ctx context.Context, r *Report, ledger *torture.Ledger) error {
	if !w.cfg.Batch {
		return nil
	}
	for i := range 3 {
		now, err := w.batch(ctx)
		if err != nil {
			return err
		}
		if i == 1 {
			err = w.rollBack(ctx, now)
		} else if err = w.begin(ctx, now); err == nil {
			_, err = w.completed(ctx, now)
		}
		if err != nil {
			return err
		}
		if err := w.caughtUp(ctx); err != nil {
			return err
		}
		lines, err := w.export(ctx)
		if err != nil {
			return err
		}
		c := ledger.Compare(lines)
		r.Runs = append(r.Runs, c)
	}
	now, err := w.batch(ctx)
	if err != nil {
		return err
	}
	r.Completed = now.current()
	r.Tables, err = w.tables(ctx)
	return err
}

// tables counts the tables of cells that there are, as soon as there are no more
// than there may be: what a run has absorbed is dropped after it.
func (w *world) tables(ctx context.Context) (n int, err error) {
	st, err := w.openStore(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return n, w.retried(ctx, func() error {
		stats, err := st.Stats(ctx)
		if err != nil {
			return err
		}
		if n = len(stats.Generations); n > maxGenerations {
			return fmt.Errorf("there are %d tables of cells, %v: allowed are %d", n, stats.Generations, maxGenerations)
		}
		return nil
	})
}
