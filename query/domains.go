package query

import (
	"context"

	"speedlayer/store"
	"speedlayer/view"
)

// visitReach is how many hours before a range the visit may have begun whose
// views are in it. Only a visit of more than two days without a gap of half an
// hour, on a domain where nobody else began one, is missed.
const visitReach = 48

// Domains implements Answers. Which domains there are is known from the cells
// of visits, of which each has at least one: so pages are not gone through.
func (e *Engine) Domains(ctx context.Context, req DomainsQuery) (*DomainsAnswer, error) {
	if req.From == "" && req.To == "" {
		req.From, req.To = "now-30d", "now"
	}
	hours, err := ParseHours(req.From, req.To, e.cfg.Now())
	if err != nil {
		return nil, err
	}
	limit, err := parseLimit(req.Limit, defaultDomains, maxDomains)
	if err != nil {
		return nil, err
	}
	a := &DomainsAnswer{From: hourText(hours.From), To: hourText(hours.To)}
	err = e.read(ctx, func(r *reading) (err error) {
		known := map[string]struct{}{}
		know := func(domain []byte) error {
			if _, ok := known[string(domain)]; !ok {
				known[string(domain)] = struct{}{}
			}
			return nil
		}
		rg := store.Range{View: view.BouncesView, Prefix: true, From: max(0, hours.From-visitReach), To: hours.To}
		if hours.From == hours.To {
			rg.From = rg.To
		}
		if err := r.scan(ctx, rg, func(c *store.ScanCell) error { return know(c.URL) }); err != nil {
			return err
		}
		if err := r.batch(rg, pieces(0, rg.From, rg.To, nil), func(c *batchCell) error { return know(c.url) }); err != nil {
			return err
		}
		var in sources
		domains := sums{}
		for domain := range known {
			rg := store.Range{View: view.PageviewsView, URL: domain, From: hours.From, To: hours.To}
			if err := domains.read(ctx, r, rg, &in); err != nil {
				return err
			}
		}
		list := domains.sorted()
		a.Total = len(list)
		a.Domains = make([]DomainCount, min(limit, len(list)))
		for i := range a.Domains {
			a.Domains[i] = DomainCount{list[i].url, list[i].n}
		}
		a.Quality, err = e.quality(ctx, r, &in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}
