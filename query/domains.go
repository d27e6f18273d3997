package query

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"speedlayer/crdt"
	"speedlayer/store"
	"speedlayer/view"
)

// maxCounted bounds how many domains an answer counts, and so its memory. The
// first ones by name are counted; a search narrows them down.
const maxCounted = 1 << 20

// maxSearch is the length of the longest domain.
const maxSearch = 253

// Domains implements Answers. It reads the counts of domains without those of
// their pages.
func (e *Engine) Domains(ctx context.Context, req DomainsQuery) (*DomainsAnswer, error) {
	switch {
	case req.From == "" && req.To == "":
		req.From, req.To = "now-30d", "now"
	case req.From == "":
		req.From = "1970-01-01"
	case req.To == "":
		req.To = "now"
	}
	hours, err := ParseHours(req.From, req.To, e.cfg.Now())
	if err != nil {
		return nil, err
	}
	limit, err := parseLimit(req.Limit, defaultDomains, MaxDomains)
	if err != nil {
		return nil, err
	}
	if len(req.Search) > maxSearch {
		return nil, BadRequest("search", fmt.Sprintf("has %d bytes", len(req.Search)), fmt.Sprintf("a part of a domain, at most %d bytes", maxSearch))
	}
	a := &DomainsAnswer{From: hourText(hours.From), To: hourText(hours.To)}
	err = e.read(ctx, func(r *reading) (err error) {
		d := domainCounts{search: []byte(strings.ToLower(strings.TrimSpace(req.Search))), most: e.counted, counts: map[string]uint64{}}
		if err := d.read(ctx, r, hours); err != nil {
			return err
		}
		a.Total, a.Truncated, a.Notes = len(d.counts), d.truncated, nil
		a.Domains = d.top(limit)
		if a.Quality, err = e.quality(ctx, r, &d.sources); err == nil && d.truncated {
			a.Notes = append(a.Notes, fmt.Sprintf("only the first %d domains by name are counted: search for a part of a name", d.most))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// domainCounts adds up the pageviews of domains whose names contain the searched
// text.
type domainCounts struct {
	search    []byte
	most      int // how many domains are counted
	counts    map[string]uint64
	truncated bool // there are more domains
	sources   sources

	// The domain of the current cells, so that each domain is looked up once.
	last []byte
	sum  uint64
}

func (d *domainCounts) read(ctx context.Context, r *reading, h Hours) error {
	rg := store.Range{View: view.PageviewsView, Prefix: true, From: h.From, To: h.To}
	if err := r.scanDomains(ctx, rg, d.addSpeed); err != nil {
		return err
	}
	if err := r.batchDomains(ctx, rg.View, pieces(whole(h), h.From, h.To, nil), d.addBatch); err != nil {
		return err
	}
	d.flush()
	return nil
}

func (d *domainCounts) addSpeed(c *store.ScanCell) error {
	n, err := crdt.Count(c.Value)
	if err != nil {
		return cellError(c, err)
	}
	if d.add(c.URL, n) {
		d.sources.addSpeed(c)
	}
	return nil
}

func (d *domainCounts) addBatch(c *batchCell) error {
	n, err := crdt.Count(c.value)
	if err != nil {
		return batchCellError(c, err)
	}
	if d.add(c.url, n) {
		d.sources.addBatch(c)
	}
	return nil
}

// add reports whether the domain matches the search.
func (d *domainCounts) add(domain []byte, n uint64) bool {
	if !bytes.Contains(domain, d.search) {
		return false
	}
	if !bytes.Equal(d.last, domain) {
		d.flush()
		d.last = append(d.last[:0], domain...)
	}
	d.sum += n
	return true
}

func (d *domainCounts) flush() {
	if d.sum == 0 {
		return
	}
	have, known := d.counts[string(d.last)]
	if !known && len(d.counts) >= d.most {
		d.truncated = true
	} else {
		d.counts[string(d.last)] = have + d.sum
	}
	d.sum = 0
}

// top returns the domains with the most pageviews, then by name. It sorts only a few
// more than requested at a time, however many there are.
func (d *domainCounts) top(limit int) []DomainCount {
	order := func(a, b DomainCount) int {
		return cmp.Or(cmp.Compare(b.Pageviews, a.Pageviews), strings.Compare(a.Domain, b.Domain))
	}
	list := make([]DomainCount, 0, min(len(d.counts), 2*limit))
	for domain, n := range d.counts {
		if len(list) == cap(list) {
			slices.SortFunc(list, order)
			list = list[:limit]
		}
		list = append(list, DomainCount{domain, n})
	}
	slices.SortFunc(list, order)
	return list[:min(limit, len(list))]
}

// scanDomains calls fn with the cells of all domains in a range of hours, the
// newest generation first. If a store cannot skip pages, it asks the store for the
// domains by their visits, and then for each domain.
func (r *reading) scanDomains(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	if d, ok := r.Reader.(store.DomainScanner); ok {
		for _, g := range r.generations {
			if err := r.scanBy(ctx, d.ScanDomains, g, rg, fn); err != nil {
				return err
			}
		}
		return nil
	}
	known, err := r.visited(ctx, rg)
	if err != nil {
		return err
	}
	for _, domain := range known {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.scan(ctx, store.Range{View: rg.View, URL: domain, From: rg.From, To: rg.To}, fn); err != nil {
			return err
		}
	}
	return nil
}

// visitLookback is how many hours before a range a visit may begin and still have views
// in it. A domain is missed only for a visit of more than two days without a gap of
// half an hour, where nobody else began a visit.
const visitLookback = 48

// visited returns the domains that have visits in a range, by name. Each domain with
// pageviews has at least one.
func (r *reading) visited(ctx context.Context, rg store.Range) ([]string, error) {
	if rg.From >= rg.To {
		return nil, nil
	}
	known := map[string]struct{}{}
	visits := store.Range{View: view.BouncesView, Prefix: true, From: max(0, rg.From-visitLookback), To: rg.To}
	err := r.scan(ctx, visits, func(c *store.ScanCell) error {
		if _, ok := known[string(c.URL)]; !ok {
			known[string(c.URL)] = struct{}{}
		}
		return nil
	})
	list := make([]string, 0, len(known))
	for domain := range known {
		list = append(list, domain)
	}
	slices.Sort(list)
	return list, err
}
