package query

import (
	"context"
	"fmt"

	"speedlayer/event"
	"speedlayer/store"
	"speedlayer/view"
)

const (
	allowedURL    = "a page as in foo.com/about, or a domain as in foo.com"
	allowedDomain = "a domain as in foo.com, with a port if it has one"
)

func parseURL(text string) (string, error) {
	if text == "" {
		return "", BadRequest("url", "is missing", allowedURL)
	}
	url, _, err := event.ParseTarget(text)
	if err != nil {
		return "", Rejected("url", allowedURL, err)
	}
	return url, nil
}

// ParseDomain is the domain that a request names. Errors are *Error.
func ParseDomain(text string) (string, error) {
	if text == "" {
		return "", BadRequest("domain", "is missing", allowedDomain)
	}
	domain, err := event.Domain(text)
	if err != nil {
		return "", Rejected("domain", allowedDomain, err)
	}
	return domain, nil
}

// ranged is a request after parsing.
type ranged struct {
	url   string
	hours Hours
	by    breakdown
}

func (e *Engine) parse(text string, url func(string) (string, error), from, to, by string) (q ranged, err error) {
	if q.url, err = url(text); err != nil {
		return q, err
	}
	if q.hours, err = ParseHours(from, to, e.cfg.Now()); err != nil {
		return q, err
	}
	q.by, err = parseBy(by, q.hours)
	return q, err
}

func (q *ranged) cells(v store.ViewID) store.Range {
	return store.Range{View: v, URL: q.url, From: q.hours.From, To: q.hours.To}
}

func cellError(c *store.ScanCell, err error) error {
	return fmt.Errorf("%w: cell %q hour %s of %v: %w", store.ErrCorrupt, c.URL, hourText(c.Hour), c.Shard, err)
}

// Pageviews implements Answers.
func (e *Engine) Pageviews(ctx context.Context, req URLQuery) (*PageviewsAnswer, error) {
	q, err := e.parse(req.URL, parseURL, req.From, req.To, req.By)
	if err != nil {
		return nil, err
	}
	a := &PageviewsAnswer{URL: q.url, From: hourText(q.hours.From), To: hourText(q.hours.To), Exact: true}
	var s counts
	err = e.read(ctx, func(r *reading) (err error) {
		s = counts{by: q.by}
		rg := q.cells(view.PageviewsView)
		if err := r.scan(ctx, rg, s.add); err != nil {
			return err
		}
		if err := r.batch(ctx, rg, pieces(q.by, rg.From, rg.To, nil), s.addBatch); err != nil {
			return err
		}
		a.Quality, err = e.quality(ctx, r, &s.sources)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.Pageviews = s.total
	list := make([]PageviewsPart, len(s.parts.keys))
	for i, key := range s.parts.keys {
		list[i].Hour, list[i].Day = partText(q.by, key)
		list[i].Pageviews, list[i].Source = s.parts.values[i], s.sources.of(&a.Quality, q.by, key)
	}
	a.Hours, a.Days = split(q.by, list)
	return a, nil
}

// BounceRate implements Answers.
func (e *Engine) BounceRate(ctx context.Context, req DomainQuery) (*BounceRateAnswer, error) {
	q, err := e.parse(req.Domain, ParseDomain, req.From, req.To, req.By)
	if err != nil {
		return nil, err
	}
	a := &BounceRateAnswer{Domain: q.url, From: hourText(q.hours.From), To: hourText(q.hours.To), Exact: true}
	var s visitCounts
	err = e.read(ctx, func(r *reading) (err error) {
		s = visitCounts{by: q.by}
		rg := q.cells(view.BouncesView)
		if err := r.scan(ctx, rg, s.add); err != nil {
			return err
		}
		if err := r.batch(ctx, rg, pieces(q.by, rg.From, rg.To, s.sources.speed.list()), s.addBatch); err != nil {
			return err
		}
		a.Quality, err = e.quality(ctx, r, &s.sources)
		return err
	})
	if err != nil {
		return nil, err
	}
	total, clamped := clamp(s.total)
	a.Visits, a.Bounces, a.Rate = total.Visits, total.Bounces, rate(total)
	list := make([]BouncesPart, len(s.parts.keys))
	for i, key := range s.parts.keys {
		list[i].Hour, list[i].Day = partText(q.by, key)
		v, c := clamp(s.parts.values[i])
		list[i].Visits, list[i].Bounces, list[i].Rate = v.Visits, v.Bounces, rate(v)
		list[i].Source = s.sources.of(&a.Quality, q.by, key)
		clamped = clamped || c
	}
	a.Hours, a.Days = split(q.by, list)
	if clamped {
		a.Exact = false
		a.Notes = append(a.Notes, "estimated: visits and bounces were clamped to 0 <= bounces <= visits")
	}
	return a, nil
}

// partText names a bucket.
func partText(by breakdown, key int32) (hour, day string) {
	if by == 24 {
		return "", dayText(key)
	}
	return hourText(key), ""
}

// split stores the parts in the field of the answer that has their name.
func split[T any](by breakdown, list []T) (hours, days []T) {
	switch by {
	case 1:
		return list, nil
	case 24:
		return nil, list
	}
	return nil, nil
}
