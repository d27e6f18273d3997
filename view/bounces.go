package view

import "speedlayer/crdt"

// The view of bounces: every view may begin, extend, or join visits of its domain
// (visits.go), and the cells change by the difference.

// bounces is a cell of BouncesView.
type bounces struct {
	n       crdt.VisitCount
	version int64
}

// addVisits changes the visits and bounces of a domain.
func (c *cells) addVisits(i int32, visitsBy, bouncesBy, offset int64) {
	if visitsBy == 0 && bouncesBy == 0 {
		return // the bytes stay as they are
	}
	s := &c.slots[i]
	b := &c.visits[s.visits]
	if offset < b.version {
		return
	}
	b.n.Visits += visitsBy
	b.n.Bounces += bouncesBy
	b.version = offset + 1
	c.touch(s, i, dirtyVisits)
}

func (c *cells) fillVisits(i int32, version int64, value []byte) error {
	v, err := crdt.DecodeVisitCount(value)
	c.visits[c.slots[i].visits] = bounces{v, version}
	return err
}

// bounces encodes the changed cells of the view, which are sorted.
func (f *flush) bounces(c *cells) {
	for _, i := range c.changed {
		if s := &c.slots[i]; s.dirty&dirtyVisits != 0 {
			b := &c.visits[s.visits]
			f.bytes = b.n.Append(f.bytes)
			f.add(c.key(BouncesView, i), b.version)
		}
	}
}
