package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"speedlayer/batch/views"
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
	x := &export{hours: h, fn: fn, e: e, now: e.cfg.Edges.snapshot().fn(), visitors: visitors{Union: e.union()}, bound: e.block}
	defer func() { e.putUnion(x.visitors.Union) }()
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
		x.r, x.who = r, r.who(x.now)
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
	e        *Engine
	r        *reading
	view     store.ViewID
	name     string
	hours    Hours
	now      func(uint64) uint64 // who is whom by the edges known now
	who      who
	visitors visitors
	fn       func(Cell) error
	bound    int

	block []part
	bytes []byte // of the block's cells
}

// part is one shard's and generation's part of a cell, or the batch views'.
type part struct {
	url        string
	hour       int32
	begin, end int // in bytes
	batch      bool
}

// errFull: a block has more cells than fit into memory.
var errFull = errors.New("query: block is full")

// all exports one view. One generation comes from the store in the right order.
// Several, and batch views, must be merged, and for each cell the newest read
// first, so they are read in blocks of urls that begin alike, made smaller until
// they fit.
func (x *export) all(ctx context.Context) error {
	if len(x.r.generations) == 1 && x.r.views == nil {
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
		return x.takeSpeed(c)
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
	err = x.r.scan(ctx, rg, x.takeSpeed)
	if err == nil {
		err = x.r.batch(rg, pieces(1, rg.From, rg.To, nil), func(c *batchCell) error { return x.take(c.url, c.hour, c.value, true) })
	}
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

func (x *export) takeSpeed(c *store.ScanCell) error { return x.take(c.URL, c.Hour, c.Value, false) }

func (x *export) take(cellURL []byte, hour int32, value []byte, batch bool) error {
	if len(x.bytes)+len(x.block)*partBytes > x.bound {
		return errFull
	}
	url := ""
	if n := len(x.block); n > 0 && x.block[n-1].url == string(cellURL) {
		url = x.block[n-1].url
	} else {
		url = string(cellURL)
	}
	begin := len(x.bytes)
	x.bytes = append(x.bytes, value...)
	x.block = append(x.block, part{url, hour, begin, len(x.bytes), batch})
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
	var err error
	switch x.view {
	case view.PageviewsView:
		cell.Pageviews, err = x.mergePageviews(parts)
	case view.UniquesView:
		cell.Visitors, cell.Exact, err = x.mergeVisitors(parts)
	case view.BouncesView:
		var v crdt.VisitCount
		v, err = x.mergeVisits(parts)
		cell.Visits, cell.Bounces = &v.Visits, &v.Bounces
	}
	if err != nil {
		return cell, fmt.Errorf("%w: %s cell %q hour %s: %w", store.ErrCorrupt, x.name, cell.URL, cell.Hour, err)
	}
	return cell, nil
}

func (x *export) mergePageviews(parts []part) (*uint64, error) {
	var sum uint64
	for _, p := range parts {
		n, err := crdt.Count(x.bytes[p.begin:p.end])
		if err != nil {
			return nil, err
		}
		sum += n
	}
	return &sum, nil
}

func (x *export) mergeVisitors(parts []part) (*uint64, *bool, error) {
	x.visitors.Reset()
	x.visitors.byRun = false
	for _, p := range parts {
		value := x.bytes[p.begin:p.end]
		x.visitors.byRun = x.visitors.byRun || p.batch && crdt.IsSketch(value)
		if err := x.visitors.Add(value, x.who.onAdding()); err != nil {
			return nil, nil, err
		}
	}
	n, exact, _, err := x.e.estimate(&x.visitors, &x.who)
	return &n, &exact, err
}

func (x *export) mergeVisits(parts []part) (sum crdt.VisitCount, err error) {
	open := slices.ContainsFunc(parts, func(p part) bool { return !p.batch })
	for _, p := range parts {
		var v crdt.VisitCount
		if value := x.bytes[p.begin:p.end]; p.batch {
			var base views.Visits
			base, err = views.DecodeVisits(value)
			v = baseVisits(base, open)
		} else {
			v, err = crdt.DecodeVisitCount(value)
		}
		if err != nil {
			return sum, err
		}
		plus(&sum, v)
	}
	sum, _ = clamp(sum)
	return sum, nil
}
