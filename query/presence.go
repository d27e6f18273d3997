package query

import (
	"sync"
	"sync/atomic"
	"time"
)

// Presence counts current visitors: the persons whose last view of a domain, by
// the time of the event, is at most five minutes old. It is not a view: it knows only
// what the processors of this process have reported, and nothing after a start.
//
// Memory is bounded (PresenceLimits). A domain that has more visitors than fit
// keeps those whose hash falls into a half, a quarter, ... of all hashes, and
// the count is scaled up (adaptive sampling, after Wegman and Flajolet 1990). The
// count is then reported as approximate.
//
// It is safe for concurrent use.
type Presence struct {
	now    func() time.Time
	limits PresenceLimits

	// latest is the last reading of the wall clock, in ms. Seen compares a view with it
	// and drops the view if it is older than the window. So replaying a log costs one
	// comparison a view, and the clock is read only when an event is ahead.
	latest atomic.Int64
	rows   atomic.Int64 // of all tables

	stripes [presenceStripes]presenceStripe
}

// PresenceLimits bound a Presence. Zero values are the defaults.
type PresenceLimits struct {
	Domains int // tracked at once; 0 is 4,096
	Rows    int // places for visitors over all domains, 16 bytes each; 0 is 512 Ki
}

const (
	presenceStripes = 64
	presenceMin     = 16               // rows of the smallest table
	presenceWindow  = 5 * 60 * 1000    // ms
	presenceAhead   = int64(10 * 1000) // ms that an event may be ahead of the clock
)

type presenceStripe struct {
	sync.Mutex
	domains map[uint64]*presenceDomain
	lost    int64 // ms of the clock when a domain last found no place; 0: never
}

// presenceDomain is an open-addressing table of persons, at most three quarters
// full. A row with seen 0 is empty.
type presenceDomain struct {
	rows   []presenceRow
	used   int
	skip   uint  // persons whose hash has fewer leading zeros than this are left out
	rough  int64 // ms of the clock until which the count stays approximate in any case
	newest int64 // ms, of any view
	tidied int64 // value of newest when the table was last rebuilt
}

type presenceRow struct {
	person uint64
	seen   int64 // ms, the time of the last view
}

// NewPresence returns an empty Presence that uses now as its clock.
func NewPresence(now func() time.Time, l PresenceLimits) *Presence {
	if l.Domains == 0 {
		l.Domains = 4096
	}
	if l.Rows == 0 {
		l.Rows = 512 << 10
	}
	p := &Presence{now: now, limits: l}
	p.latest.Store(now().UnixMilli())
	for i := range p.stripes {
		p.stripes[i].domains = make(map[uint64]*presenceDomain)
	}
	return p
}

// Seen records a view: the XXH3 of the domain's text, event.PersonHash of the
// person, and the time of the event in ms.
func (p *Presence) Seen(domain, person uint64, ts int64) {
	latest := p.latest.Load()
	if ts <= latest-presenceWindow {
		return
	}
	if ts > latest+presenceAhead {
		if latest = p.look(); ts > latest+presenceAhead {
			return
		}
	}
	s := &p.stripes[domain%presenceStripes]
	s.Lock()
	d := s.domains[domain]
	if d == nil {
		d = p.enter(s, domain)
	}
	if d != nil && d.kept(person) {
		p.put(d, person, ts)
	}
	s.Unlock()
}

// look sets latest to the current time and returns it.
func (p *Presence) look() int64 {
	now := p.now().UnixMilli()
	for {
		have := p.latest.Load()
		if now <= have || p.latest.CompareAndSwap(have, now) {
			return max(now, have)
		}
	}
}

// enter makes room for a domain. It returns nil if there is no room.
func (p *Presence) enter(s *presenceStripe, domain uint64) *presenceDomain {
	if len(s.domains) >= max(1, p.limits.Domains/presenceStripes) || p.rows.Load()+presenceMin > int64(p.limits.Rows) {
		now := p.look()
		for id, d := range s.domains {
			if d.newest <= now-presenceWindow {
				p.rows.Add(-int64(len(d.rows)))
				delete(s.domains, id)
			}
		}
		if len(s.domains) >= max(1, p.limits.Domains/presenceStripes) {
			s.lost = now
			return nil
		}
	}
	if p.rows.Add(presenceMin) > int64(p.limits.Rows) {
		p.rows.Add(-presenceMin)
		s.lost = p.look()
		return nil
	}
	d := &presenceDomain{rows: make([]presenceRow, presenceMin)}
	s.domains[domain] = d
	return d
}

func (p *Presence) put(d *presenceDomain, person uint64, ts int64) {
	d.newest = max(d.newest, ts)
	if row := d.find(person); row.seen != 0 {
		row.seen = max(row.seen, ts)
		return
	}
	if 4*(d.used+1) > 3*len(d.rows) || d.newest > d.tidied+presenceWindow {
		p.makeRoom(d)
		if !d.kept(person) {
			return
		}
	}
	*d.find(person) = presenceRow{person, ts}
	d.used++
}

// find returns the person's row, or the empty one where it belongs.
func (d *presenceDomain) find(person uint64) *presenceRow {
	mask := uint64(len(d.rows) - 1)
	for i := person & mask; ; i = (i + 1) & mask {
		if row := &d.rows[i]; row.seen == 0 || row.person == person {
			return row
		}
	}
}

// makeRoom drops persons who have left, then resizes the table or samples more
// sparsely. It samples less sparsely if few are left; persons who were left out are
// then missing for one window.
func (p *Presence) makeRoom(d *presenceDomain) {
	now := p.look()
	cutoff := now - presenceWindow
	here := d.count(cutoff)
	size := len(d.rows)
	switch {
	case 2*here > size && p.rows.Load()+int64(size) <= int64(p.limits.Rows):
		size *= 2
	case 2*here > size:
		for 2*d.count(cutoff) > size {
			d.skip++
		}
	case 8*here <= size && d.skip > 0:
		for ; 4*here <= size && d.skip > 0; here *= 2 {
			d.skip--
		}
		d.rough = now + presenceWindow
	case 8*here <= size && size > presenceMin:
		size /= 2
	}
	d.tidied = d.newest
	p.rows.Add(int64(size - len(d.rows))) // counted at once, so that concurrent stripes exceed the bound by one table each at most
	old := d.rows
	d.rows, d.used = make([]presenceRow, size), 0
	for _, row := range old {
		if row.seen > cutoff && d.kept(row.person) {
			*d.find(row.person) = row
			d.used++
		}
	}
}

// kept reports whether a person is in the sample.
func (d *presenceDomain) kept(person uint64) bool { return person>>(64-d.skip) == 0 }

// count counts the persons in the sample that were seen after cutoff.
func (d *presenceDomain) count(cutoff int64) (n int) {
	for i := range d.rows {
		if row := &d.rows[i]; row.seen > cutoff && d.kept(row.person) {
			n++
		}
	}
	return n
}

// Count returns how many persons are on a domain now. approximate reports that there
// are, or were a moment ago, more than are kept one by one.
func (p *Presence) Count(domain uint64) (n int64, approximate bool) {
	now := p.look()
	s := &p.stripes[domain%presenceStripes]
	s.Lock()
	defer s.Unlock()
	d := s.domains[domain]
	if d == nil {
		return 0, s.lost > now-presenceWindow
	}
	return int64(d.count(now-presenceWindow)) << d.skip, d.skip > 0 || d.rough > now
}
