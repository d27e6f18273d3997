package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"speedlayer/crdt"
	"speedlayer/store"
	"speedlayer/view"
)

// exportViews are the views in the order in which they are exported: by name, so
// that all lines are sorted by (view, url, hour).
var exportViews = [...]struct {
	name string
	id   store.ViewID
}{{"bounces", view.BouncesView}, {"pageviews", view.PageviewsView}, {"uniques", view.UniquesView}}

// exportBlock bounds the bytes of cells in memory at once.
const exportBlock = 8 << 20

// Export implements Answers. Of a store that is not atomic it goes through the
// views block by block, in the order of law 9 within each; if the list of
// generations changes meanwhile, it fails: what was handed out cannot be taken
// back, so the caller starts anew.
func (e *Engine) Export(ctx context.Context, req ExportQuery, fn func(Cell) error) error {
	from, to := req.From, req.To
	if from == "" {
		from = "1970-01-01"
	}
	open := to == ""
	if open {
		to = "9999-12-31"
	}
	h, err := ParseHours(from, to, e.cfg.Now())
	if err != nil {
		return err
	}
	if open {
		h.To = allTime
	}
	x := &export{hours: h, fn: fn, canonical: e.cfg.Edges.snapshot().fn(), visitors: e.union(), bound: e.block}
	defer func() { e.putUnion(x.visitors) }()
	found := req.View == ""
	for _, v := range exportViews {
		found = found || v.name == req.View
	}
	if !found {
		return bad("view", fmt.Sprintf("%q is no view", cut(req.View)), "pageviews, uniques, bounces, or leaving it out for all")
	}
	began := false
	return e.read(ctx, func(r *reading) error {
		if began {
			return errors.New("the list of generations changed during the export: start it again")
		}
		began = true
		x.r = r
		for _, v := range exportViews {
			if req.View != "" && req.View != v.name {
				continue
			}
			x.view, x.name = v.id, v.name
			if err := x.all(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// export is one export under way.
type export struct {
	r         *reading
	view      store.ViewID
	name      string
	hours     Hours
	canonical func(uint64) uint64
	visitors  *crdt.Union
	fn        func(Cell) error
	bound     int

	block []part
	bytes []byte // of the block's cells
}

// part is one shard's and generation's part of a cell.
type part struct {
	url        string
	hour       int32
	begin, end int // in bytes
}

// errFull: a block has more cells than fit into memory.
var errFull = errors.New("query: block is full")

// all exports one view. One generation comes from the store in the right order.
// Several must be merged, and for each cell the newest read first, so they are
// read in blocks of urls that begin alike, made smaller until they fit.
func (x *export) all(ctx context.Context) error {
	if len(x.r.generations) == 1 {
		return x.stream(ctx)
	}
	return x.prefix(ctx, "")
}

func (x *export) cells(url string, prefix bool) store.Range {
	return store.Range{View: x.view, URL: url, Prefix: prefix, From: x.hours.From, To: x.hours.To}
}

func (x *export) stream(ctx context.Context) error {
	x.clear()
	err := x.r.scan(ctx, x.cells("", true), func(c *store.ScanCell) error {
		if n := len(x.block); n > 0 && (x.block[0].hour != c.Hour || x.block[0].url != string(c.URL)) {
			if err := x.flush(); err != nil {
				return err
			}
		}
		return x.take(c)
	})
	if err != nil {
		return err
	}
	return x.flush()
}

// prefix exports all urls that begin with p.
func (x *export) prefix(ctx context.Context, p string) error {
	full, err := x.tryBlock(ctx, x.cells(p, true))
	if err != nil || !full {
		return err
	}
	if p != "" {
		if err := x.url(ctx, x.cells(p, false)); err != nil {
			return err
		}
	}
	for b := 1; b < 256; b++ { // a url holds no 0x00
		if err := x.prefix(ctx, p+string([]byte{byte(b)})); err != nil {
			return err
		}
	}
	return nil
}

// url exports one url, half of the hours after the other if they do not fit.
func (x *export) url(ctx context.Context, rg store.Range) error {
	bound := x.bound
	if rg.To-rg.From <= 1 {
		x.bound = 1 << 62 // the parts of one cell
	}
	full, err := x.tryBlock(ctx, rg)
	x.bound = bound
	if err != nil || !full {
		return err
	}
	first, second := rg, rg
	middle := rg.From + (rg.To-rg.From)/2
	first.To, second.From = middle, middle
	if err := x.url(ctx, first); err != nil {
		return err
	}
	return x.url(ctx, second)
}

// tryBlock exports a block; full says that it did not fit and nothing was done.
func (x *export) tryBlock(ctx context.Context, rg store.Range) (full bool, err error) {
	x.clear()
	err = x.r.scan(ctx, rg, x.take)
	if errors.Is(err, errFull) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, x.flush()
}

func (x *export) clear() { x.block, x.bytes = x.block[:0], x.bytes[:0] }

// partBytes is what a part takes besides its value.
const partBytes = 48

func (x *export) take(c *store.ScanCell) error {
	if len(x.bytes)+len(x.block)*partBytes > x.bound {
		return errFull
	}
	url := ""
	if n := len(x.block); n > 0 && x.block[n-1].url == string(c.URL) {
		url = x.block[n-1].url
	} else {
		url = string(c.URL)
	}
	begin := len(x.bytes)
	x.bytes = append(x.bytes, c.Value...)
	x.block = append(x.block, part{url, c.Hour, begin, len(x.bytes)})
	return nil
}

// flush merges the parts of the block and hands the cells out.
func (x *export) flush() error {
	slices.SortStableFunc(x.block, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.url, b.url), cmp.Compare(a.hour, b.hour))
	})
	for rest := x.block; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].hour == rest[0].hour && rest[n].url == rest[0].url {
			n++
		}
		cell, err := x.merge(rest[:n])
		if err != nil {
			return err
		}
		if err := x.fn(cell); err != nil {
			return err
		}
		rest = rest[n:]
	}
	x.clear()
	return nil
}

func (x *export) merge(parts []part) (Cell, error) {
	cell := Cell{View: x.name, URL: parts[0].url, Hour: hourText(parts[0].hour)}
	var pageviews uint64
	var visits crdt.VisitCount
	x.visitors.Reset()
	for _, p := range parts {
		value := x.bytes[p.begin:p.end]
		var err error
		switch x.view {
		case view.PageviewsView:
			var n uint64
			n, err = crdt.Count(value)
			pageviews += n
		case view.UniquesView:
			err = x.visitors.Add(value, x.canonical)
		case view.BouncesView:
			var v crdt.VisitCount
			v, err = crdt.DecodeVisitCount(value)
			plus(&visits, v)
		}
		if err != nil {
			return cell, fmt.Errorf("%w: %s cell %q hour %s: %w", store.ErrCorrupt, x.name, cell.URL, cell.Hour, err)
		}
	}
	switch x.view {
	case view.PageviewsView:
		cell.Pageviews = &pageviews
	case view.UniquesView:
		n, exact, _, err := x.visitors.Estimate()
		if err != nil {
			return cell, err
		}
		cell.Visitors, cell.Exact = &n, &exact
	case view.BouncesView:
		visits, _ = clamp(visits)
		cell.Visits, cell.Bounces = &visits.Visits, &visits.Bounces
	}
	return cell, nil
}
