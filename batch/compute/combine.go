package compute

import "github.com/zeebo/xxh3"

// recent adds up views of the same page by the same person in the same hour that
// come soon after each other, as most repeats do. The rest is added up when cells are
// made. The zero value is empty.
type recent struct {
	rows [8]struct {
		page   xxh3.Uint128
		person uint64
		hour   int32
		views  uint32 // 0: free
	}
	next int // the next entry to replace
}

type writeSeen func(url xxh3.Uint128, person uint64, hour int32, views uint32) error

func (r *recent) add(page xxh3.Uint128, person uint64, hour int32, write writeSeen) error {
	for i := range r.rows {
		e := &r.rows[i]
		if e.page == page && e.person == person && e.hour == hour && e.views > 0 && e.views < 1<<32-1 {
			e.views++
			return nil
		}
	}
	e := &r.rows[r.next]
	r.next = (r.next + 1) % len(r.rows)
	if e.views > 0 {
		if err := write(e.page, e.person, e.hour, e.views); err != nil {
			return err
		}
	}
	e.page, e.person, e.hour, e.views = page, person, hour, 1
	return nil
}

// flush writes the remaining entries.
func (r *recent) flush(write writeSeen) error {
	for i := range r.rows {
		e := &r.rows[(r.next+i)%len(r.rows)]
		if e.views == 0 {
			continue
		}
		if err := write(e.page, e.person, e.hour, e.views); err != nil {
			return err
		}
		e.views = 0
	}
	r.next = 0
	return nil
}

// visitTable adds up the visits of a domain that begin in the same hour. It has a
// fixed number of places for pairs of domain and hour; a new pair replaces the one
// in its place. The zero value is empty.
type visitTable struct{ rows [1 << 12]begun }

func (t *visitTable) add(row *begun, write func(*begun) error) error {
	at := &t.rows[(row[1]^row[2]*0x9e3779b97f4a7c15)%uint64(len(t.rows))]
	const full = 1 << 63 // for a sum of visits, so that it never overflows
	if at[0] == row[0] && at[1] == row[1] && at[2] == row[2] && (at[3]|at[4])&full == 0 {
		at[3] += row[3]
		at[4] += row[4]
		return nil
	}
	if at[3]|at[4] != 0 {
		if err := write(at); err != nil {
			return err
		}
	}
	*at = *row
	return nil
}

// flush writes the remaining entries.
func (t *visitTable) flush(write func(*begun) error) error {
	for i := range t.rows {
		at := &t.rows[i]
		if at[3]|at[4] != 0 {
			if err := write(at); err != nil {
				return err
			}
		}
		*at = begun{}
	}
	return nil
}
