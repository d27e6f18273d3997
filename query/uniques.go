package query

import (
	"context"

	"speedlayer/crdt"
	"speedlayer/store"
	"speedlayer/view"
)

// partHours is how many hours are in memory at once when an answer has parts,
// so that a year of sketches is not: 31 days.
const partHours = 31 * 24

const noteSketch = "estimated: cells of more than 2,048 visitors are sketches; equiv edges are not in those"

// Uniques implements Answers.
func (e *Engine) Uniques(ctx context.Context, req URLQuery) (*UniquesAnswer, error) {
	q, err := e.parse(req.URL, parseURL, req.From, req.To, req.By)
	if err != nil {
		return nil, err
	}
	a := &UniquesAnswer{URL: q.url, From: hourText(q.hours.From), To: hourText(q.hours.To)}
	persons := e.cfg.Edges.snapshot()
	a.EquivEdges = persons.edges
	u := &uniques{e: e, by: q.by, who: who{now: persons.fn()}}
	u.total.Union = e.union()
	defer u.release()
	err = e.read(ctx, func(r *reading) (err error) {
		u.reset(r)
		if err := u.scan(ctx, r, q.cells(view.UniquesView)); err != nil {
			return err
		}
		a.Visitors, a.Exact, a.RelativeError, err = e.estimate(&u.total, &u.who)
		if err != nil {
			return err
		}
		a.Quality, err = e.quality(ctx, r, &u.sources)
		if err == nil {
			u.nameSources(&a.Quality)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !a.Exact && (a.EquivEdges > 0 || u.total.byRun) {
		a.Notes = append(a.Notes, noteSketch)
	}
	a.Hours, a.Days = split(q.by, u.list)
	return a, nil
}

// who says how persons are resolved in one reading.
type who struct {
	now func(uint64) uint64 // by the edges known now; nil: nobody is anybody else
	run func(uint64) uint64 // by those of the batch run; nil: there is none
}

// onAdding resolves persons as they are added. With a batch run they are
// resolved at the end: only then it is known by whose edges.
func (w *who) onAdding() func(uint64) uint64 {
	if w.run != nil {
		return nil
	}
	return w.now
}

func (r *reading) who(now func(uint64) uint64) who {
	if r.views == nil {
		return who{now: now}
	}
	return who{now: now, run: r.views.Canonical}
}

// visitors are those of one number of an answer.
type visitors struct {
	*crdt.Union
	byRun bool // a sketch of the batch views is in it
}

func (v *visitors) merge(o *visitors) {
	v.Merge(o.Union)
	v.byRun = v.byRun || o.byRun
}

func (v *visitors) add(c *store.ScanCell, w *who) error {
	if err := v.Add(c.Value, w.onAdding()); err != nil {
		return cellError(c, err)
	}
	return nil
}

func (v *visitors) addBatch(c *batchCell, w *who) error {
	v.byRun = v.byRun || crdt.IsSketch(c.value)
	if err := v.Add(c.value, w.onAdding()); err != nil {
		return batchCellError(c, err)
	}
	return nil
}

// estimate counts visitors. A sketch of the batch views holds canonical persons
// by the run's edges: so all others that it is united with are taken by those
// too. Else the edges known now decide (law 8).
func (e *Engine) estimate(v *visitors, w *who) (n uint64, exact bool, relative float64, err error) {
	as := w.now
	if v.byRun {
		as = w.run
	}
	if w.run == nil || as == nil {
		return v.Estimate()
	}
	u := e.union()
	defer e.putUnion(u)
	u.MergeAs(v.Union, as)
	return u.Estimate()
}

// uniques unites the visitors of a range, and of its hours or days.
type uniques struct {
	e       *Engine
	by      breakdown
	who     who
	total   visitors
	parts   buckets[visitors] // of the hours being read
	keys    []int32           // of the parts in list
	list    []UniquesPart     // of those that were
	sources sources
}

func (u *uniques) reset(r *reading) {
	u.total.Reset()
	u.total.byRun = false
	u.dropParts()
	u.keys, u.list, u.sources, u.who = nil, []UniquesPart{}, sources{}, r.who(u.who.now)
}

func (u *uniques) dropParts() {
	for _, p := range u.parts.values {
		u.e.putUnion(p.Union)
	}
	u.parts.keys, u.parts.values = u.parts.keys[:0], u.parts.values[:0]
}

func (u *uniques) release() {
	u.dropParts()
	u.e.putUnion(u.total.Union)
}

// scan reads the range, all at once or, if there are parts, a stretch after the
// other; each stretch in the order of generations that law 9 wants.
func (u *uniques) scan(ctx context.Context, r *reading, rg store.Range) error {
	if u.by == 0 {
		return u.stretch(ctx, r, rg)
	}
	end := rg.To
	for rg.From < end {
		rg.To = min(end, (rg.From/24)*24+partHours)
		if err := u.stretch(ctx, r, rg); err != nil {
			return err
		}
		if err := u.finishParts(); err != nil {
			return err
		}
		rg.From = rg.To
	}
	return nil
}

func (u *uniques) stretch(ctx context.Context, r *reading, rg store.Range) error {
	if err := r.scan(ctx, rg, u.add); err != nil {
		return err
	}
	return r.batch(rg, pieces(u.by, rg.From, rg.To, nil), u.addBatch)
}

func (u *uniques) add(c *store.ScanCell) error {
	u.sources.addSpeed(c)
	return u.into(c.Hour).add(c, &u.who)
}

func (u *uniques) addBatch(c *batchCell) error {
	u.sources.addBatch(c)
	return u.into(c.hour).addBatch(c, &u.who)
}

func (u *uniques) into(hour int32) *visitors {
	if u.by == 0 {
		return &u.total
	}
	part := u.parts.at(hour / int32(u.by))
	if part.Union == nil {
		part.Union = u.e.union()
	}
	return part
}

func (u *uniques) finishParts() error {
	for i, key := range u.parts.keys {
		part := &u.parts.values[i]
		u.total.merge(part)
		n, exact, _, err := u.e.estimate(part, &u.who)
		if err != nil {
			return err
		}
		p := UniquesPart{Visitors: n, Exact: exact}
		p.Hour, p.Day = partText(u.by, key)
		u.list, u.keys = append(u.list, p), append(u.keys, key)
	}
	u.dropParts()
	return nil
}

func (u *uniques) nameSources(q *Quality) {
	for i, key := range u.keys {
		u.list[i].Source = u.sources.of(q, u.by, key)
	}
}
