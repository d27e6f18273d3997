package compute

import (
	"context"
	"fmt"

	"github.com/zeebo/xxh3"

	"speedlayer/batch/views"
	"speedlayer/event"
)

// visitGap is the longest pause between two views of one visit, in ms.
const visitGap = 30 * 60 * 1000

// numbered is a view with its place in the log, so that the first of equal (nonce,
// person) sorts first: nonce, person, place, then ts, page, domain.
type numbered [8]uint64

// placed is an event in the order in which visits are found: canonical person,
// domain, ts, then raw person, page.
type placed [7]uint64

// seen is a row for a url: url, person, and hour<<32 | views.
type seen [4]uint64

// begun is a row for a domain: domain, hour, and visits<<32 | bounces, of raw persons
// and of canonical ones.
type begun [5]uint64

func personsName(part int) string { return fmt.Sprintf("persons-%d", part) }

// visitor turns the events of one part of the persons into rows for urls and domains.
// It reads the events of one person on one domain after the other, by time.
//
// Streams 0 to parts.urls-1 of its spill hold seen rows. As many streams after them
// hold begun rows.
type visitor struct {
	r   *runner
	out *spillWriter
	c   counts

	group     placed      // its first three words identify the views being processed
	canonical visit       // visit of the group
	raw       []rawPerson // the raw persons in the group
	byPerson  map[uint64]int
	recent    recent
	visits    visitTable
}

// visit is a sequence of views with pauses of at most visitGap.
type visit struct {
	start, last int64 // ms
	views       int64 // 0: none
}

type rawPerson struct {
	person uint64
	visit  visit
	hour   int32  // of the views of the domain that are counted
	views  uint32 //
}

// persons is the second stage, of one part of the persons.
func (r *runner) persons(ctx context.Context, w *worker, part int) (err error) {
	out, err := newSpill(r.fs, r.dir, personsName(part), 2*r.parts.urls, r.memory/8, &w.buffers)
	if err != nil {
		return err
	}
	v := &visitor{r: r, out: out, byPerson: map[uint64]int{}}
	if err := v.dedupe(ctx, w, part); err != nil {
		out.abort()
		return fmt.Errorf("part %d of the persons: %w", part, err)
	}
	return out.finish(v.c)
}

// dedupe keeps the first of each (nonce, person), over all time, and then reads the
// remaining events by person, domain and time.
func (v *visitor) dedupe(ctx context.Context, w *worker, part int) error {
	var place uint64
	for _, s := range v.r.scans { // by (epoch, partition), each in log order
		var err error
		w.block, err = s.each(part, w.block, func(block []byte) error {
			return rowsOf(block, func(e *view) error {
				row := numbered{e[0], e[1], place, e[2], e[3], e[4], e[5], e[6]}
				place++
				return w.numbered.add(&row)
			})
		})
		if err != nil {
			return err
		}
	}
	var last numbered
	first := true
	err := w.numbered.each(func(e *numbered) error {
		if !first && e[0] == last[0] && e[1] == last[1] {
			v.c.Duplicates++
			return nil
		}
		first, last = false, *e
		row := placed{v.r.canonical.of(e[1]), e[6], e[7], e[3], e[1], e[4], e[5]}
		return w.placed.add(&row)
	})
	if err != nil {
		return err
	}
	if err := w.numbered.reset(); err != nil {
		return err
	}
	if err := w.placed.each(func(e *placed) error { return v.event(ctx, e) }); err != nil {
		return err
	}
	v.r.progress.add(int64(place), 0)
	if err := v.endGroup(); err != nil {
		return err
	}
	if err := v.visits.flush(v.begin); err != nil {
		return err
	}
	return w.placed.reset()
}

// event processes the next event.
func (v *visitor) event(ctx context.Context, e *placed) error {
	if e[0] != v.group[0] || e[1] != v.group[1] || e[2] != v.group[2] || len(v.raw) == 0 {
		if err := v.endGroup(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		v.group = *e
	}
	v.c.Events++
	ts := int64(e[3])
	hour := event.HourOf(ts)
	if old, ended := v.canonical.view(ts); ended {
		if err := v.endVisit(&old, true); err != nil {
			return err
		}
	}
	p := v.person(e[4])
	if old, ended := p.visit.view(ts); ended {
		if err := v.endVisit(&old, false); err != nil {
			return err
		}
	}
	if p.views > 0 && (p.hour != hour || p.views == 1<<32-1) {
		if err := v.write(v.domain(), p.person, p.hour, p.views); err != nil {
			return err
		}
		p.views = 0
	}
	p.hour = hour
	p.views++
	return v.recent.add(xxh3.Uint128{Hi: e[5], Lo: e[6]}, e[4], hour, v.write)
}

func (v *visitor) domain() xxh3.Uint128 { return xxh3.Uint128{Hi: v.group[1], Lo: v.group[2]} }

// view adds a view at ts, which is not before the last one. If it begins another visit,
// view returns the one that ended.
func (s *visit) view(ts int64) (old visit, ended bool) {
	if s.views > 0 && ts-s.last <= visitGap {
		s.last = ts
		s.views++
		return visit{}, false
	}
	old, ended = *s, s.views > 0
	*s = visit{ts, ts, 1}
	return old, ended
}

// person returns the row of the raw person in the group, which is nearly always the
// only one.
func (v *visitor) person(h uint64) *rawPerson {
	if len(v.raw) > 0 && v.raw[0].person == h {
		return &v.raw[0]
	}
	i, ok := v.byPerson[h]
	if !ok {
		i = len(v.raw)
		v.byPerson[h] = i
		v.raw = append(v.raw, rawPerson{person: h})
	}
	return &v.raw[i]
}

// endVisit counts a visit in the hour of its first view.
func (v *visitor) endVisit(s *visit, canonical bool) error {
	n := uint64(1) << 32
	if s.views == 1 {
		n++
	}
	row := begun{v.group[1], v.group[2], uint64(event.HourOf(s.start)), n, 0}
	if canonical {
		row[3], row[4] = 0, n
	}
	return v.visits.add(&row, v.begin)
}

func (v *visitor) endGroup() error {
	if len(v.raw) == 0 {
		return nil
	}
	if err := v.endVisit(&v.canonical, true); err != nil {
		return err
	}
	for i := range v.raw {
		p := &v.raw[i]
		if err := v.endVisit(&p.visit, false); err != nil {
			return err
		}
		if err := v.write(v.domain(), p.person, p.hour, p.views); err != nil {
			return err
		}
	}
	v.canonical, v.raw = visit{}, v.raw[:0]
	clear(v.byPerson)
	return v.recent.flush(v.write)
}

// write emits that a person viewed a url in an hour.
func (v *visitor) write(url xxh3.Uint128, person uint64, hour int32, n uint32) error {
	row := seen{url.Hi, url.Lo, person, uint64(hour)<<32 | uint64(n)}
	return put(v.out, views.PartOf(url, v.r.parts.urls), &row)
}

func (v *visitor) begin(row *begun) error {
	url := xxh3.Uint128{Hi: row[0], Lo: row[1]}
	return put(v.out, v.r.parts.urls+views.PartOf(url, v.r.parts.urls), row)
}

func put[T words](out *spillWriter, stream int, row *T) error {
	to, err := out.room(stream, 8*len(*row))
	if err != nil {
		return err
	}
	out.put(stream, appendWords(to, row))
	return nil
}
