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
	defaultTop, maxTop         = 10, 1000
	defaultDomains, maxDomains = 100, 10_000
)

func parseLimit(limit, otherwise, most int) (int, error) {
	if limit == 0 {
		return otherwise, nil
	}
	if limit < 0 || limit > most {
		return 0, badLimit(fmt.Sprint(limit), most)
	}
	return limit, nil
}

func badLimit(text string, most int) *Error {
	return bad("limit", fmt.Sprintf("%q is no limit", cut(text)), fmt.Sprintf("a whole number from 1 to %d", most))
}

// Top implements Answers.
func (e *Engine) Top(ctx context.Context, req TopQuery) (*TopAnswer, error) {
	q, err := e.parse(req.Domain, parseDomain, req.From, req.To, "day")
	if err != nil {
		return nil, err
	}
	limit, err := parseLimit(req.Limit, defaultTop, maxTop)
	if err != nil {
		return nil, err
	}
	a := &TopAnswer{Domain: q.url, From: hourText(q.hours.From), To: hourText(q.hours.To)}
	persons := e.cfg.Edges.snapshot()
	visitors := e.union()
	defer func() { e.putUnion(visitors) }()
	err = e.read(ctx, func(r *reading) (err error) {
		var hours hourSet
		pages := sums{}
		rg := store.Range{View: view.PageviewsView, URL: q.url + "/", Prefix: true, From: q.hours.From, To: q.hours.To}
		if err := r.scan(ctx, rg, func(c *store.ScanCell) error { hours.add(c.Hour); return pages.add(c) }); err != nil {
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
			a.Pages[i] = TopPage{URL: p.url, Pageviews: p.n}
			if err := e.topVisitors(ctx, r, &a.Pages[i], q.hours, visitors, persons); err != nil {
				return err
			}
		}
		a.Quality, err = e.quality(ctx, r, &hours)
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
func (e *Engine) topVisitors(ctx context.Context, r *reading, p *TopPage, h Hours, u *crdt.Union, persons *canonical) (err error) {
	u.Reset()
	canonical := persons.fn()
	rg := store.Range{View: view.UniquesView, URL: p.URL, From: h.From, To: h.To}
	if err := r.scan(ctx, rg, func(c *store.ScanCell) error {
		if err := u.Add(c.Value, canonical); err != nil {
			return cellError(c, err)
		}
		return nil
	}); err != nil {
		return err
	}
	p.Visitors, p.Exact, p.RelativeError, err = u.Estimate()
	return err
}

// sums are pageviews by url.
type sums map[string]*uint64

func (s sums) add(c *store.ScanCell) error {
	n, err := crdt.Count(c.Value)
	if err != nil {
		return cellError(c, err)
	}
	sum := s[string(c.URL)]
	if sum == nil {
		sum = new(uint64)
		s[string(c.URL)] = sum
	}
	*sum += n
	return nil
}

// urlCount is a url with its pageviews.
type urlCount struct {
	url string
	n   uint64
}

// sorted is most pageviews first, then by url.
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
