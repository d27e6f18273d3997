package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"speedlayer/crdt"
	"speedlayer/store"
	"speedlayer/view"
)

// Limits of lists.
const (
	MaxTop         = 1000
	MaxDomains     = 10_000
	defaultTop     = 10
	defaultDomains = 100
)

func parseLimit(limit, otherwise, most int) (int, error) {
	if limit == 0 {
		return otherwise, nil
	}
	if limit < 0 || limit > most {
		return 0, BadLimit(fmt.Sprint(limit), most)
	}
	return limit, nil
}

// BadLimit is the error of a limit that is not from 1 to most.
func BadLimit(text string, most int) *Error {
	return BadRequest("limit", fmt.Sprintf("%q is not a limit", cut(text)), fmt.Sprintf("a whole number from 1 to %d", most))
}

// Top implements Answers.
func (e *Engine) Top(ctx context.Context, req TopQuery) (*TopAnswer, error) {
	q, err := e.parse(req.Domain, ParseDomain, req.From, req.To, "day")
	if err != nil {
		return nil, err
	}
	limit, err := parseLimit(req.Limit, defaultTop, MaxTop)
	if err != nil {
		return nil, err
	}
	a := &TopAnswer{Domain: q.url, From: hourText(q.hours.From), To: hourText(q.hours.To)}
	persons := e.cfg.Edges.snapshot()
	visitors := visitors{Merger: e.merger()}
	defer func() { e.putMerger(visitors.Merger) }()
	err = e.read(ctx, func(r *reading) (err error) {
		var in sources
		pages := sums{}
		rg := store.Range{View: view.PageviewsView, URL: q.url + "/", Prefix: true, From: q.hours.From, To: q.hours.To}
		if err := pages.read(ctx, r, rg, &in); err != nil {
			return err
		}
		list := pages.sorted()
		a.TotalPages, a.Pageviews = len(list), 0
		for _, p := range list {
			a.Pageviews += p.n
		}
		list = list[:min(limit, len(list))]
		a.Pages, a.Notes = make([]TopPage, len(list)), nil
		for i, p := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			a.Pages[i] = TopPage{URL: p.url, Pageviews: p.n}
			if err := e.topVisitors(ctx, r, &a.Pages[i], q.hours, &visitors, persons); err != nil {
				return err
			}
		}
		a.Quality, err = e.quality(ctx, r, &in)
		return err
	})
	if err != nil {
		return nil, err
	}
	if persons.edges > 0 && slices.ContainsFunc(a.Pages, func(p TopPage) bool { return !p.Exact }) {
		a.Notes = append(a.Notes, noteSketch)
	}
	return a, nil
}

// topVisitors adds the visitors of one page.
func (e *Engine) topVisitors(ctx context.Context, r *reading, p *TopPage, h Hours, v *visitors, persons *canonical) (err error) {
	v.Reset()
	v.byRun = false
	who := r.who(persons.fn())
	rg := store.Range{View: view.UniquesView, URL: p.URL, From: h.From, To: h.To}
	if err := r.scan(ctx, rg, func(c *store.ScanCell) error { return v.add(c, &who) }); err != nil {
		return err
	}
	if err := r.batch(ctx, rg, pieces(whole(h), h.From, h.To, nil), func(c *batchCell) error { return v.addBatch(c, &who) }); err != nil {
		return err
	}
	p.Visitors, p.Exact, p.RelativeError, err = e.estimate(v, &who)
	return err
}

// whole is how a range is read if only one number is wanted: by hours, so that the
// number is as exact as the hours are, unless the range is long.
func whole(h Hours) breakdown {
	if h.To-h.From <= defaultHours {
		return 1
	}
	return 0
}

// sums are pageviews by url.
type sums map[string]*uint64

func (s sums) add(url []byte, n uint64) {
	sum := s[string(url)]
	if sum == nil {
		sum = new(uint64)
		s[string(url)] = sum
	}
	*sum += n
}

// read adds the counts of a range, and adds their hours to in.
func (s sums) read(ctx context.Context, r *reading, rg store.Range, in *sources) error {
	err := r.scan(ctx, rg, func(c *store.ScanCell) error {
		n, err := crdt.Count(c.Value)
		if err != nil {
			return cellError(c, err)
		}
		in.addSpeed(c)
		s.add(c.URL, n)
		return nil
	})
	if err != nil {
		return err
	}
	return r.batch(ctx, rg, pieces(whole(Hours{rg.From, rg.To}), rg.From, rg.To, nil), func(c *batchCell) error {
		n, err := crdt.Count(c.value)
		if err != nil {
			return batchCellError(c, err)
		}
		in.addBatch(c)
		s.add(c.url, n)
		return nil
	})
}

// urlCount is a url with its pageviews.
type urlCount struct {
	url string
	n   uint64
}

// sorted returns the urls by most pageviews first, then by url.
func (s sums) sorted() []urlCount {
	list := make([]urlCount, 0, len(s))
	for url, n := range s {
		list = append(list, urlCount{url, *n})
	}
	slices.SortFunc(list, func(a, b urlCount) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.url, b.url))
	})
	return list
}
