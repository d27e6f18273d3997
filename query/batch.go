package query

import (
	"context"
	"errors"
	"fmt"

	"speedlayer/batch/views"
	"speedlayer/store"
)

// Views are the batch views of one run, as *views.Views has them. An Engine
// closes the views that it was given.
type Views interface {
	Scan(view store.ViewID, g views.Granularity, url string, from, to int32, fn func(bucket int32, value []byte) error) error
	ScanURLs(ctx context.Context, view store.ViewID, g views.Granularity, fromURL, toURL string, from, to int32, fn func(url []byte, bucket int32, value []byte) error) error
	ScanDomains(ctx context.Context, view store.ViewID, g views.Granularity, from, to int32, fn func(domain []byte, bucket int32, value []byte) error) error
	Canonical(raw uint64) uint64
	Lost() int64 // records of the log that it should have absorbed, but that are lost
	Close() error
}

// errNoBatch: the pointer names a batch run, but no batch views are configured.
var errNoBatch = errors.New("query: this process has no batch views")

// openViews opens the views of the run that the reading saw. If they cannot be
// opened, that is an error, never an empty answer.
func (e *Engine) openViews(ctx context.Context, run *store.Run) (Views, error) {
	if run == nil {
		return nil, nil
	}
	if e.cfg.Batch == nil {
		return nil, fmt.Errorf("%w: it cannot answer from run %d", errNoBatch, run.Number)
	}
	v, err := e.cfg.Batch(ctx, *run)
	if err != nil {
		return nil, fmt.Errorf("batch views of run %d: %w", run.Number, err)
	}
	return v, nil
}

// pieces splits hours into buckets of the batch views that fit into the buckets of
// an answer. The hours of apart stay separate.
func pieces(by breakdown, from, to int32, apart []int32) []views.Piece {
	switch {
	case from >= to:
		return nil
	case by == 0:
		return views.Cover(from, to, apart)
	case by == 1:
		return []views.Piece{{Granularity: views.Hour, From: from, To: to}}
	}
	var all []views.Piece
	for day := from / int32(by); day*int32(by) < to; day++ {
		for _, p := range views.Cover(max(from, day*int32(by)), min(to, (day+1)*int32(by)), apart) {
			if n := len(all); n > 0 && all[n-1].Granularity == p.Granularity && all[n-1].To == p.From {
				all[n-1].To = p.To
			} else {
				all = append(all, p)
			}
		}
	}
	return all
}

// batchCell is a cell of the batch views.
type batchCell struct {
	url   []byte
	piece views.Piece // the piece whose bucket it is
	hour  int32       // the first hour of the bucket
	value []byte
}

// hours returns how many hours the cell covers.
func (c *batchCell) hours() int32 { return c.piece.Granularity.Hours() }

// batch calls fn with the cells of the batch views in a range: those of the url, or
// of all urls that begin with it. Without a run there are none. The cell is valid
// only during the call.
func (r *reading) batch(ctx context.Context, rg store.Range, p []views.Piece, fn func(c *batchCell) error) error {
	if r.views == nil {
		return nil
	}
	for _, piece := range p {
		take := takeBatch(ctx, piece, fn)
		var err error
		if rg.Prefix {
			first, end := rg.URLBounds()
			err = r.views.ScanURLs(ctx, rg.View, piece.Granularity, first, end, piece.From, piece.To, take)
		} else {
			url := []byte(rg.URL)
			err = r.views.Scan(rg.View, piece.Granularity, rg.URL, piece.From, piece.To,
				func(bucket int32, value []byte) error { return take(url, bucket, value) })
		}
		if err != nil {
			return fmt.Errorf("batch run %d: %w", r.pointer.Current.Number, err)
		}
	}
	return nil
}

// batchDomains is like batch for the domains of a view, without their pages.
func (r *reading) batchDomains(ctx context.Context, v store.ViewID, p []views.Piece, fn func(c *batchCell) error) error {
	if r.views == nil {
		return nil
	}
	for _, piece := range p {
		if err := r.views.ScanDomains(ctx, v, piece.Granularity, piece.From, piece.To, takeBatch(ctx, piece, fn)); err != nil {
			return fmt.Errorf("batch run %d: %w", r.pointer.Current.Number, err)
		}
	}
	return nil
}

// checkEvery is how many cells are read between two checks of the deadline.
const checkEvery = 1024

// takeBatch makes batch cells of what views pass, and ends with the context.
func takeBatch(ctx context.Context, piece views.Piece, fn func(c *batchCell) error) func(url []byte, bucket int32, value []byte) error {
	c, n := batchCell{piece: piece}, 0
	return func(url []byte, bucket int32, value []byte) error {
		if n++; n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c.url, c.hour, c.value = url, bucket*piece.Granularity.Hours(), value
		return fn(&c)
	}
}

func batchCellError(c *batchCell, err error) error {
	return fmt.Errorf("%w: batch cell %q hour %s: %w", store.ErrCorrupt, c.url, hourText(c.hour), err)
}
