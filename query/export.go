package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
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

// Export implements Answers. With a store that is not atomic, it reads the views
// block by block, and within each block in the order of law 9. If the list of
// generations changes meanwhile, Export fails: the cells that the caller already
// has cannot be taken back, so the caller must start again.
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
	x := &export{hours: h, fn: fn, e: e, now: e.cfg.Edges.snapshot().fn(), visitors: visitors{Merger: e.merger()}, bound: e.block}
	defer func() { e.putMerger(x.visitors.Merger) }()
	found := req.View == ""
	for _, v := range exportViews {
		found = found || v.name == req.View
	}
	if !found {
		return BadRequest("view", fmt.Sprintf("%q is not a view", cut(req.View)), "pageviews, uniques, bounces, or leaving it out for all")
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
	now      func(uint64) uint64 // canonical persons by the edges known now
	who      who
	visitors visitors
	fn       func(Cell) error
	bound    int

	block []part
	bytes []byte // of the block's cells
	taken int    // of block, from sources before the one that is read
	room  int    // what the one that is read may take
	size  int    // what it has taken
	end   place  // of the block; it comes nearer as sources do not fit
}

// place is a position in the order of cells. A block is the cells from one place to
// another: all hours of some URLs, or some hours of one URL.
type place struct {
	url  string
	hour int32
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.url, o.url), cmp.Compare(p.hour, o.hour))
}

// part is one shard's and generation's part of a cell, or the batch views'.
type part struct {
	place
	begin, end int // in bytes
	batch      bool
}

// errFull: a source has more cells than there is room for. The block ends before
// the one that did not fit.
var errFull = errors.New("query: block is full")

// all exports one view.
//
// A single generation comes from the store in the right order and is streamed.
// Several generations, or one and batch views, must be merged. The obvious way is
// to merge one stream of each source. Law 9 forbids it: each cell must be read in
// the newest generation first and in the oldest last, and streams that run beside
// each other read the same cell at any time. So all works in blocks, and reads
// each block from one source after the other:
//
//  1. readBlock reads the cells from the place at on, from every source, up to a
//     bound of memory that it finds out as it reads.
//  2. flush merges them and hands them to the caller.
//  3. The next block begins where this one ended.
//
// Invariant: when a block is flushed, it holds every cell of every source from at
// (inclusive) to end (exclusive), and the caller has every cell before at.
func (x *export) all(ctx context.Context) error {
	if len(x.r.generations) == 1 && x.r.views == nil {
		return x.stream(ctx)
	}
	for at := (place{"", x.hours.From}); ; {
		if err := x.readBlock(ctx, at); err != nil {
			return err
		}
		if err := x.flush(); err != nil {
			return err
		}
		switch {
		case x.end != place{}:
			at = x.end
		case at.hour > x.hours.From: // the rest of one URL; a URL contains no 0x00
			at = place{at.url + "\x01", x.hours.From}
		default:
			return nil
		}
	}
}

// readBlock reads the block that begins at a place, from the newest generation to
// the oldest and then from the batch views.
//
// The end of the block is not known before, since nobody knows how large the cells
// are. So it starts at infinity and only moves towards at. Each source may take an
// equal share of the memory. If a source has more, the block is cut before the
// cell that did not fit: cells beyond are dropped from the sources that were read
// before, and the sources after it are asked for the shorter range only. A source
// may always take one cell, however large, so that every block makes progress.
//
// Reading ever longer prefixes until they fit, which this replaces, took 255 scans
// of HBase for each step.
func (x *export) readBlock(ctx context.Context, at place) error {
	x.clear()
	x.end = place{}
	n := len(x.r.generations)
	x.room = x.bound / (n + 1)
	for i := range n + 1 {
		x.taken, x.size = len(x.block), 0
		rg := x.rest(at)
		var err error
		if i < n {
			err = x.r.scanGeneration(ctx, x.r.generations[i], rg, x.takeSpeed)
		} else {
			err = x.r.batch(ctx, rg, pieces(1, rg.From, rg.To, nil), func(c *batchCell) error { return x.take(c.url, c.hour, c.value, true) })
		}
		if err != nil && !errors.Is(err, errFull) {
			return err
		}
		if err != nil {
			x.cut(at)
		}
	}
	return nil
}

// rest is the range from a place to the end of the block. It is one of two shapes,
// because a store scans either whole hours of many URLs, or some hours of one:
// after a cut within a URL the block is confined to that URL.
func (x *export) rest(at place) store.Range {
	rg := store.Range{View: x.view, From: x.hours.From, To: x.hours.To}
	if at.hour == x.hours.From && (x.end == place{} || x.end.url != at.url) {
		rg.Prefix, rg.FromURL, rg.ToURL = true, at.url, x.end.url
		return rg
	}
	rg.URL, rg.From = at.url, at.hour
	if x.end != (place{}) {
		rg.To = x.end.hour
	}
	return rg
}

// cut ends the block before the last part that was taken, which did not fit: before
// its URL, or before its hour if the block has only that URL. It drops what the
// sources before have beyond the new end; they are read again in the next block.
func (x *export) cut(at place) {
	x.end = x.block[len(x.block)-1].place
	if x.end.url != at.url {
		x.end.hour = x.hours.From
	}
	x.block = slices.DeleteFunc(x.block, func(p part) bool { return p.compare(x.end) >= 0 })
}

func (x *export) stream(ctx context.Context) error {
	x.clear()
	x.room = math.MaxInt
	rg := store.Range{View: x.view, Prefix: true, From: x.hours.From, To: x.hours.To}
	err := x.r.scan(ctx, rg, func(c *store.ScanCell) error {
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

func (x *export) clear() { x.block, x.bytes, x.taken, x.size = x.block[:0], x.bytes[:0], 0, 0 }

// partBytes is the memory of a part besides its value.
const partBytes = 48

func (x *export) takeSpeed(c *store.ScanCell) error { return x.take(c.URL, c.Hour, c.Value, false) }

// take adds a part of the current source to the block. When the source is full, the
// part that did not fit is added without its value, so that cut knows its place.
func (x *export) take(cellURL []byte, hour int32, value []byte, batch bool) error {
	p := part{place: place{hour: hour}, begin: len(x.bytes), batch: batch}
	own := x.block[x.taken:]
	if n := len(own); n > 0 && own[n-1].url == string(cellURL) {
		p.url = own[n-1].url
	} else {
		p.url = string(cellURL)
	}
	x.size += len(value) + partBytes
	full := x.size > x.room && len(own) > 0 && own[0].place != p.place
	if !full {
		x.bytes = append(x.bytes, value...)
	}
	p.end = len(x.bytes)
	x.block = append(x.block, p)
	if full {
		return errFull
	}
	return nil
}

// flush merges the parts of the block and passes the cells on. The sort is stable, so
// the parts of a cell stay in the order in which they were read.
func (x *export) flush() error {
	slices.SortStableFunc(x.block, func(a, b part) int { return a.compare(b.place) })
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
