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
	u := &uniques{e: e, by: q.by, canonical: persons.fn(), total: e.union()}
	defer u.release()
	err = e.read(ctx, func(r *reading) (err error) {
		u.reset()
		if err := u.scan(ctx, r, q.cells(view.UniquesView)); err != nil {
			return err
		}
		a.Quality, err = e.quality(ctx, r, &u.hours)
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.Visitors, a.Exact, a.RelativeError, err = u.total.Estimate(); err != nil {
		return nil, err
	}
	if !a.Exact && a.EquivEdges > 0 {
		a.Notes = append(a.Notes, noteSketch)
	}
	a.Hours, a.Days = split(q.by, u.list)
	return a, nil
}

// uniques unites the visitors of a range, and of its hours or days.
type uniques struct {
	e         *Engine
	by        breakdown
	canonical func(uint64) uint64
	total     *crdt.Union
	parts     buckets[*crdt.Union] // of the hours being read
	list      []UniquesPart        // of those that were
	hours     hourSet
}

func (u *uniques) reset() {
	u.total.Reset()
	u.dropParts()
	u.list, u.hours = []UniquesPart{}, hourSet{}
}

func (u *uniques) dropParts() {
	for _, p := range u.parts.values {
		u.e.putUnion(p)
	}
	u.parts.keys, u.parts.values = u.parts.keys[:0], u.parts.values[:0]
}

func (u *uniques) release() {
	u.dropParts()
	u.e.putUnion(u.total)
}

// scan reads the range, all at once or, if there are parts, a stretch after the
// other; each stretch in the order of generations that law 9 wants.
func (u *uniques) scan(ctx context.Context, r *reading, rg store.Range) error {
	if u.by == 0 {
		return r.scan(ctx, rg, u.add)
	}
	end := rg.To
	for rg.From < end {
		rg.To = min(end, (rg.From/24)*24+partHours)
		if err := r.scan(ctx, rg, u.add); err != nil {
			return err
		}
		if err := u.finishParts(); err != nil {
			return err
		}
		rg.From = rg.To
	}
	return nil
}

func (u *uniques) add(c *store.ScanCell) error {
	u.hours.add(c.Hour)
	into := u.total
	if u.by != 0 {
		part := u.parts.at(c.Hour / int32(u.by))
		if *part == nil {
			*part = u.e.union()
		}
		into = *part
	}
	if err := into.Add(c.Value, u.canonical); err != nil {
		return cellError(c, err)
	}
	return nil
}

func (u *uniques) finishParts() error {
	for i, key := range u.parts.keys {
		part := u.parts.values[i]
		u.total.Merge(part)
		n, exact, _, err := part.Estimate()
		if err != nil {
			return err
		}
		p := UniquesPart{Visitors: n, Exact: exact}
		p.Hour, p.Day = partText(u.by, key)
		u.list = append(u.list, p)
	}
	u.dropParts()
	return nil
}
