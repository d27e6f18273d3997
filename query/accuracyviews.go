package query

import (
	"context"
	"slices"

	"speedlayer/batch/views"
	"speedlayer/crdt"
	"speedlayer/store"
)

func (c *comparison) pageviews(ctx context.Context, rg store.Range, hours []int32) error {
	speed, batch := counts{by: 1}, counts{by: 1}
	if err := c.both(ctx, rg, speed.add, speed.addBatch, batch.addBatch); err != nil {
		return err
	}
	for _, h := range hours {
		s, b := int64(*speed.parts.at(h)), int64(*batch.parts.at(h))
		cause := CauseUnknown
		if s > b {
			cause = CauseDedupe
		}
		if s != b {
			c.spoilt[hourOfURL{rg.URL, h}] = true
		}
		c.add(0, rg.URL, h, s, b, cause)
	}
	return nil
}

// both reads a range by the old pointer, up to the vector, and by the new one.
func (c *comparison) both(ctx context.Context, rg store.Range, cell func(*store.ScanCell) error, old, batch func(*batchCell) error) error {
	if err := c.speed.scan(ctx, rg, cell); err != nil {
		return err
	}
	if err := c.speed.batch(ctx, rg, pieces(1, rg.From, rg.To, nil), old); err != nil {
		return err
	}
	return c.batch.batch(ctx, rg, pieces(1, rg.From, rg.To, nil), batch)
}

func (c *comparison) uniques(ctx context.Context, rg store.Range, hours []int32) error {
	speed := &uniques{e: c.e, by: 1, who: c.speed.who(c.now)}
	batch := &uniques{e: c.e, by: 1, who: c.batch.who(c.now)}
	defer speed.dropParts()
	defer batch.dropParts()
	if err := c.both(ctx, rg, speed.add, speed.addBatch, batch.addBatch); err != nil {
		return err
	}
	for _, h := range hours {
		s, sExact, err := speed.hour(h)
		if err != nil {
			return err
		}
		b, bExact, err := batch.hour(h)
		if err != nil {
			return err
		}
		cause := CauseDedupe // a duplicate may name another hour or page
		if !sExact || !bExact {
			cause = CauseSketch
			if c.now != nil && s > b+uint64(crdt.RelativeError*float64(b)) {
				cause = CauseEdges
			}
		}
		c.add(1, rg.URL, h, int64(s), int64(b), cause)
	}
	return nil
}

// hour returns the number of visitors in one hour.
func (u *uniques) hour(hour int32) (n uint64, exact bool, err error) {
	i, ok := slices.BinarySearch(u.parts.keys, hour)
	if !ok {
		return 0, true, nil
	}
	n, exact, _, err = u.e.estimate(&u.parts.values[i], &u.who)
	return n, exact, err
}

func (c *comparison) bounces(ctx context.Context, rg store.Range, hours []int32) error {
	speed := visitCounts{by: 1}
	batch := map[int32]views.Visits{}
	if err := c.both(ctx, rg, speed.add, speed.addBatch, func(cell *batchCell) error {
		v, err := views.DecodeVisits(cell.value)
		batch[cell.hour] = v
		return err
	}); err != nil {
		return err
	}
	for _, h := range hours {
		s, _ := clamp(*speed.parts.at(h))
		b := batch[h]
		cause := CauseVisits
		switch {
		case s.Visits == int64(b.Raw) && s.Bounces == int64(b.RawBounces):
			cause = CauseEdges
		case c.spoilt[hourOfURL{rg.URL, h - 1}] || c.spoilt[hourOfURL{rg.URL, h}] || c.spoilt[hourOfURL{rg.URL, h + 1}]:
			cause = CauseDedupe
		}
		// Visits and bounces are two numbers; the differences are those of their sum.
		truth := int64(b.Canonical + b.CanonicalBounces)
		off := max(s.Visits-int64(b.Canonical), int64(b.Canonical)-s.Visits) + max(s.Bounces-int64(b.CanonicalBounces), int64(b.CanonicalBounces)-s.Bounces)
		c.add(2, rg.URL, h, truth+off, truth, cause)
	}
	return nil
}
