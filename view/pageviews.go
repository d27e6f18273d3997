package view

import "speedlayer/crdt"

// The view of pageviews: every view adds one to its page and to its domain.

// counter is a cell of PageviewsView.
type counter struct {
	n       uint64
	version int64
}

// addView counts a view.
func (c *cells) addView(i int32, offset int64) {
	s := &c.slots[i]
	if offset >= s.views.version {
		s.views.n++
		s.views.version = offset + 1
		c.touch(s, i, dirtyViews)
	}
}

func (c *cells) fillViews(i int32, version int64, value []byte) error {
	s := &c.slots[i]
	v, err := crdt.Count(value)
	s.views = counter{v, version}
	return err
}

// pageviews encodes the changed cells of the view, which are sorted.
func (f *flush) pageviews(c *cells) {
	for _, i := range c.changed {
		s := &c.slots[i]
		if s.dirty&dirtyViews == 0 {
			continue
		}
		if s.partial {
			f.bytes = crdt.AppendCountDelta(f.bytes, s.views.n)
			s.views.n = 0 // the next put adds what comes from here on
		} else {
			f.bytes = crdt.AppendCount(f.bytes, s.views.n)
		}
		f.add(c.key(PageviewsView, i), s.views.version)
		if s.partial {
			last := &f.cells[len(f.cells)-1]
			last.Delta, last.Adds = 1, true
		}
	}
}
