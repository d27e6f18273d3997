package compute

import (
	"context"
	"errors"
	"fmt"

	"speedlayer/batch/views"
	"speedlayer/crdt"
)

// seenBy is a seen row of a part, in the order of cells: rank<<32 | hour, person,
// views.
type seenBy [3]uint64

// begunBy is a begun row of a part: rank<<32 | hour, raw, canonical.
type begunBy [3]uint64

func partName(part int) string { return fmt.Sprintf("cells-%d", part) }

// cells is the third stage, of one part of the urls.
func (r *runner) cells(ctx context.Context, w *worker, part int) error {
	c := &celler{r: r, ctx: ctx, urls: urls{limit: int(r.memory / 4), names: w.names}}
	if err := errors.Join(c.run(w, part), w.names.reset()); err != nil {
		return fmt.Errorf("part %d of the urls: %w", part, err)
	}
	r.progress.add(r.work(cells, counts{}), 0)
	return writeDone(r.fs, r.dir, partName(part), counts{Cells: c.out.Cells()}, nil)
}

// celler makes the cells of one part of the urls.
type celler struct {
	r    *runner
	ctx  context.Context
	out  *views.Part
	urls urls

	rank    uint32
	url     string
	levels  [4]level // indexed by granularity
	visits  [4]visitLevel
	person  uint64
	value   []byte
	scratch []uint64
}

// level is the bucket of a granularity that is being filled.
type level struct {
	open    bool
	bucket  int32
	views   uint64
	persons personSet
}

func (c *celler) run(w *worker, part int) (err error) {
	if err := c.names(w, part); err != nil {
		return err
	}
	if c.out, err = views.CreatePart(c.r.fs, c.r.result, part); err != nil {
		return err
	}
	if err := c.fill(w, part); err != nil {
		c.out.Abort()
		return err
	}
	return c.out.Close()
}

func (c *celler) fill(w *worker, part int) error {
	if err := c.seen(w, part); err != nil {
		return err
	}
	return c.begun(w, part)
}

// names reads the texts of the part's urls and ranks them.
func (c *celler) names(w *worker, part int) (err error) {
	for _, s := range c.r.scans {
		w.block, err = s.each(c.r.parts.persons+part, w.block, func(block []byte) error {
			return urlsOf(block, func(url []byte) error { return c.urls.add(url, views.Hash(url)) })
		})
		if err != nil {
			return err
		}
	}
	return c.urls.finish()
}

// seen makes the cells of pageviews and unique visitors.
func (c *celler) seen(w *worker, part int) (err error) {
	err = rankRows(c, w, part, w.seen, func(rank uint32, e *seen) error {
		return w.seenBy.add(&seenBy{uint64(rank)<<32 | e[3]>>32, e[2], e[3] & (1<<32 - 1)})
	})
	if err != nil {
		return err
	}
	if err := w.seenBy.each(c.addSeen); err != nil {
		return err
	}
	if err := c.closeUpTo(views.Month); err != nil {
		return err
	}
	return w.seenBy.reset()
}

// addSeen adds the next row, by (url, hour, person).
func (c *celler) addSeen(e *seenBy) error {
	rank, hour := uint32(e[0]>>32), int32(uint32(e[0]))
	l := &c.levels[views.Hour]
	if l.open && (rank != c.rank || hour != l.bucket) {
		upTo := views.Hour
		if rank != c.rank {
			upTo = views.Month
		}
		if err := c.closeUpTo(upTo); err != nil {
			return err
		}
	}
	if !l.open {
		if err := c.start(rank); err != nil {
			return err
		}
		l.open, l.bucket = true, hour
		c.person = e[1] + 1 // any person other than the first
	}
	l.views += e[2]
	if e[1] != c.person {
		c.person = e[1]
		l.persons.add(e[1], c.r.canonical)
	}
	return nil
}

func (c *celler) start(rank uint32) (err error) {
	if c.url == "" || rank != c.rank {
		c.rank = rank
		c.url, err = c.urls.url(rank)
	}
	return err
}

// closeUpTo writes the open buckets from the hour up to g. Each larger bucket gets
// the content of the smaller ones.
func (c *celler) closeUpTo(g views.Granularity) error {
	for at := views.Hour; at <= g; at++ {
		if err := c.close(at); err != nil {
			return err
		}
	}
	return nil
}

// close writes a bucket and adds it to the bucket of the next granularity. If that
// is a different bucket than before, close writes the previous one first.
func (c *celler) close(g views.Granularity) error {
	l := &c.levels[g]
	if !l.open {
		return nil
	}
	if err := c.out.Add(views.Pageviews, g, c.url, l.bucket, crdt.AppendCount(c.value[:0], l.views)); err != nil {
		return err
	}
	c.value = l.persons.append(c.value[:0])
	if err := c.out.Add(views.Uniques, g, c.url, l.bucket, c.value); err != nil {
		return err
	}
	if g < views.Month {
		up := &c.levels[g+1]
		bucket := (g + 1).Bucket(l.bucket * g.Hours())
		if up.open && up.bucket != bucket {
			if err := c.close(g + 1); err != nil {
				return err
			}
		}
		up.open, up.bucket = true, bucket
		up.views += l.views
		c.scratch = up.persons.merge(&l.persons, c.r.canonical, c.scratch)
	}
	l.open, l.views = false, 0
	l.persons.reset()
	return nil
}

// visitLevel is like level, for visits.
type visitLevel struct {
	open   bool
	bucket int32
	sum    views.Visits
}

// begun makes the cells of bounces.
func (c *celler) begun(w *worker, part int) (err error) {
	err = rankRows(c, w, c.r.parts.urls+part, w.begun, func(rank uint32, e *begun) error {
		return w.begunBy.add(&begunBy{uint64(rank)<<32 | e[2], e[3], e[4]})
	})
	if err != nil {
		return err
	}
	c.url = ""
	if err := w.begunBy.each(c.addBegun); err != nil {
		return err
	}
	for g := range c.visits {
		if err := c.closeVisits(views.Granularity(g)); err != nil {
			return err
		}
	}
	return w.begunBy.reset()
}

func (c *celler) addBegun(e *begunBy) error {
	rank, hour := uint32(e[0]>>32), int32(uint32(e[0]))
	for g := range c.visits {
		l := &c.visits[g]
		bucket := views.Granularity(g).Bucket(hour)
		if l.open && (rank != c.rank || bucket != l.bucket) {
			if err := c.closeVisits(views.Granularity(g)); err != nil {
				return err
			}
		}
	}
	if err := c.start(rank); err != nil {
		return err
	}
	for g := range c.visits {
		l := &c.visits[g]
		l.open, l.bucket = true, views.Granularity(g).Bucket(hour)
		l.sum.Add(views.Visits{Raw: e[1] >> 32, RawBounces: e[1] & (1<<32 - 1),
			Canonical: e[2] >> 32, CanonicalBounces: e[2] & (1<<32 - 1)})
	}
	return nil
}

func (c *celler) closeVisits(g views.Granularity) error {
	l := &c.visits[g]
	if !l.open {
		return nil
	}
	c.value = l.sum.Append(c.value[:0])
	err := c.out.Add(views.Bounces, g, c.url, l.bucket, c.value)
	*l = visitLevel{}
	return err
}
