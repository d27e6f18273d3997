package active

import (
	"sync"
	"sync/atomic"
	"time"
)

// Visitors counts current visitors: the persons whose last view of a domain, by
// the time of the event, is at most five minutes old. It is not a view: it knows only
// what the processors of this process have reported, and nothing after a start.
//
// Memory is bounded (Limits). A domain that has more visitors than fit
// keeps those whose hash falls into a half, a quarter, ... of all hashes, and
// the count is scaled up (adaptive sampling, after Wegman and Flajolet 1990). The
// count is then reported as approximate.
//
// It is safe for concurrent use.
type Visitors struct {
	now    func() time.Time
	limits Limits

	// latest is the last reading of the wall clock, in ms. Seen compares a view with it
	// and drops the view if it is older than the window. So replaying a log costs one
	// comparison a view, and the clock is read only when an event is ahead.
	latest atomic.Int64
	rows   atomic.Int64 // of all tables

	stripes [stripes]stripe
}

// Limits bound a Visitors. Zero values are the defaults.
type Limits struct {
	Domains int // tracked at once; 0 is 4,096
	Rows    int // places for visitors over all domains, 16 bytes each; 0 is 512 Ki
}

const (
	stripes  = 64
	minRows  = 16               // rows of the smallest table
	window   = 5 * 60 * 1000    // ms
	maxAhead = int64(10 * 1000) // ms that an event may be ahead of the clock
)

type stripe struct {
	sync.Mutex
	domains map[uint64]*table
	lost    int64 // ms of the clock when a domain last found no place; 0: never
}

// table is a domain's open-addressing table of persons, at most three quarters
// full. A row with seen 0 is empty.
type table struct {
	rows   []row
	used   int
	skip   uint  // persons whose hash has fewer leading zeros than this are left out
	rough  int64 // ms of the clock until which the count stays approximate in any case
	newest int64 // ms, of any view
	tidied int64 // value of newest when the table was last rebuilt
}

type row struct {
	person uint64
	seen   int64 // ms, the time of the last view
}

// New returns an empty Visitors that uses now as its clock.
func New(now func() time.Time, l Limits) *Visitors {
	if l.Domains == 0 {
		l.Domains = 4096
	}
	if l.Rows == 0 {
		l.Rows = 512 << 10
	}
	v := &Visitors{now: now, limits: l}
	v.latest.Store(now().UnixMilli())
	for i := range v.stripes {
		v.stripes[i].domains = make(map[uint64]*table)
	}
	return v
}

// Seen records a view: the XXH3 of the domain's text, event.PersonHash of the
// person, and the time of the event in ms.
func (v *Visitors) Seen(domain, person uint64, ts int64) {
	latest := v.latest.Load()
	if ts <= latest-window {
		return
	}
	if ts > latest+maxAhead {
		if latest = v.look(); ts > latest+maxAhead {
			return
		}
	}
	s := &v.stripes[domain%stripes]
	s.Lock()
	d := s.domains[domain]
	if d == nil {
		d = v.enter(s, domain)
	}
	if d != nil && d.kept(person) {
		v.put(d, person, ts)
	}
	s.Unlock()
}

// look sets latest to the current time and returns it.
func (v *Visitors) look() int64 {
	now := v.now().UnixMilli()
	for {
		have := v.latest.Load()
		if now <= have || v.latest.CompareAndSwap(have, now) {
			return max(now, have)
		}
	}
}

// enter makes room for a domain. It returns nil if there is no room.
func (v *Visitors) enter(s *stripe, domain uint64) *table {
	if len(s.domains) >= max(1, v.limits.Domains/stripes) || v.rows.Load()+minRows > int64(v.limits.Rows) {
		now := v.look()
		for id, d := range s.domains {
			if d.newest <= now-window {
				v.rows.Add(-int64(len(d.rows)))
				delete(s.domains, id)
			}
		}
		if len(s.domains) >= max(1, v.limits.Domains/stripes) {
			s.lost = now
			return nil
		}
	}
	if v.rows.Add(minRows) > int64(v.limits.Rows) {
		v.rows.Add(-minRows)
		s.lost = v.look()
		return nil
	}
	d := &table{rows: make([]row, minRows)}
	s.domains[domain] = d
	return d
}

func (v *Visitors) put(d *table, person uint64, ts int64) {
	d.newest = max(d.newest, ts)
	if row := d.find(person); row.seen != 0 {
		row.seen = max(row.seen, ts)
		return
	}
	if 4*(d.used+1) > 3*len(d.rows) || d.newest > d.tidied+window {
		v.makeRoom(d)
		if !d.kept(person) {
			return
		}
	}
	*d.find(person) = row{person, ts}
	d.used++
}

// find returns the person's row, or the empty one where it belongs.
func (d *table) find(person uint64) *row {
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
func (v *Visitors) makeRoom(d *table) {
	now := v.look()
	cutoff := now - window
	here := d.count(cutoff)
	size := len(d.rows)
	switch {
	case 2*here > size && v.rows.Load()+int64(size) <= int64(v.limits.Rows):
		size *= 2
	case 2*here > size:
		for 2*d.count(cutoff) > size {
			d.skip++
		}
	case 8*here <= size && d.skip > 0:
		for ; 4*here <= size && d.skip > 0; here *= 2 {
			d.skip--
		}
		d.rough = now + window
	case 8*here <= size && size > minRows:
		size /= 2
	}
	d.tidied = d.newest
	v.rows.Add(int64(size - len(d.rows))) // counted at once, so that concurrent stripes exceed the bound by one table each at most
	old := d.rows
	d.rows, d.used = make([]row, size), 0
	for _, row := range old {
		if row.seen > cutoff && d.kept(row.person) {
			*d.find(row.person) = row
			d.used++
		}
	}
}

// kept reports whether a person is in the sample.
func (d *table) kept(person uint64) bool { return person>>(64-d.skip) == 0 }

// count counts the persons in the sample that were seen after cutoff.
func (d *table) count(cutoff int64) (n int) {
	for i := range d.rows {
		if row := &d.rows[i]; row.seen > cutoff && d.kept(row.person) {
			n++
		}
	}
	return n
}

// Count returns how many persons are on a domain now. approximate reports that there
// are, or were a moment ago, more than are kept one by one.
func (v *Visitors) Count(domain uint64) (n int64, approximate bool) {
	now := v.look()
	s := &v.stripes[domain%stripes]
	s.Lock()
	defer s.Unlock()
	d := s.domains[domain]
	if d == nil {
		return 0, s.lost > now-window
	}
	return int64(d.count(now-window)) << d.skip, d.skip > 0 || d.rough > now
}
