package query

import (
	"context"

	"speedlayer/crdt"
	"speedlayer/store"
	"speedlayer/view"
)

// partHours is how many hours of an answer with parts are in memory at once: 31 days.
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
	u.total.Merger = e.merger()
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

// who maps hashes of raw persons to their canonical persons, within one reading.
//
// There are two maps, because there are two states of the equiv edges. A sketch of
// the batch views was built from canonical persons, by the edges of its run. It
// cannot be taken apart again, so whatever is merged with it must be mapped by the
// same edges: else one person would be in the sketch under the old name and in the
// rest under the new one, and count twice. Where there is no such sketch, all
// persons are still raw, and the edges that are known now give the better answer.
//
// Which of the two applies is known only after the last cell of a number was read.
// So with a batch run, persons are added raw, and estimate maps them at the end.
// Without one they are mapped as they are added, which needs one set instead of
// two.
type who struct {
	now func(uint64) uint64 // by the edges known now; nil if there are none
	run func(uint64) uint64 // by the edges of the batch run; nil without a run
}

// onAdding is the map to apply to persons as they are added.
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

// visitors are the visitors that one number of an answer counts.
type visitors struct {
	*crdt.Merger
	byRun bool // it contains a sketch of the batch views
}

func (v *visitors) merge(o *visitors) {
	v.Merge(o.Merger)
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

// estimate counts visitors. If they contain a sketch of the batch views, the run's
// edges map all others; otherwise the edges known now do (law 8, and see who).
func (e *Engine) estimate(v *visitors, w *who) (n uint64, exact bool, relative float64, err error) {
	as := w.now
	if v.byRun {
		as = w.run
	}
	if w.run == nil || as == nil {
		return v.Estimate()
	}
	u := e.merger()
	defer e.putMerger(u)
	u.MergeAs(v.Merger, as)
	return u.Estimate()
}

// uniques merges the visitors of a range, and of its hours or days.
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
		u.e.putMerger(p.Merger)
	}
	u.parts.keys, u.parts.values = u.parts.keys[:0], u.parts.values[:0]
}

func (u *uniques) release() {
	u.dropParts()
	u.e.putMerger(u.total.Merger)
}

// scan reads the range: as a whole or, if the answer has parts, in stretches of
// partHours, so that not all sketches of a year are in memory. Each stretch is read
// in the order of generations that law 9 requires.
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
	return r.batch(ctx, rg, pieces(u.by, rg.From, rg.To, nil), u.addBatch)
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
	if part.Merger == nil {
		part.Merger = u.e.merger()
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
