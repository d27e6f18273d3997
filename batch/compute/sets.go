package compute

import "speedlayer/crdt"

// personSet is the visitors of a bucket: raw persons, ascending, while there are
// no more than a cell holds exactly, and then a sketch of canonical persons. So its
// content depends on the set alone, not on how it was built.
type personSet struct {
	raw    []uint64
	sketch *crdt.Sketch
}

// add adds a person above all others in the set, in the order of raw hashes.
func (s *personSet) add(h uint64, c canonical) {
	switch {
	case s.sketch != nil:
		s.sketch.Add(c.of(h))
	case len(s.raw) == crdt.MaxExact:
		s.toSketch(c)
		s.sketch.Add(c.of(h))
	default:
		s.raw = append(s.raw, h)
	}
}

func (s *personSet) toSketch(c canonical) {
	s.sketch = crdt.NewSketch()
	for _, h := range s.raw {
		s.sketch.Add(c.of(h))
	}
	s.raw = s.raw[:0]
}

// merge makes s the union of s and o. scratch is memory to use; merge returns what is
// left of it.
func (s *personSet) merge(o *personSet, c canonical, scratch []uint64) []uint64 {
	if s.sketch == nil && o.sketch == nil {
		if len(s.raw) == 0 {
			s.raw = append(s.raw, o.raw...)
			return scratch
		}
		both := mergeSorted(scratch[:0], s.raw, o.raw)
		s.raw, scratch = both, s.raw
		if len(s.raw) > crdt.MaxExact {
			s.toSketch(c)
		}
		return scratch
	}
	if s.sketch == nil {
		s.toSketch(c)
	}
	if o.sketch != nil {
		s.sketch.Merge(o.sketch)
	}
	for _, h := range o.raw {
		s.sketch.Add(c.of(h))
	}
	return scratch
}

func mergeSorted(dst, a, b []uint64) []uint64 {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			dst, a = append(dst, a[0]), a[1:]
		case a[0] > b[0]:
			dst, b = append(dst, b[0]), b[1:]
		default:
			dst, a, b = append(dst, a[0]), a[1:], b[1:]
		}
	}
	return append(append(dst, a...), b...)
}

// append appends the bytes of a uniques cell.
func (s *personSet) append(dst []byte) []byte {
	if s.sketch != nil {
		return s.sketch.Append(dst)
	}
	return crdt.AppendExact(dst, s.raw)
}

// reset empties the set.
func (s *personSet) reset() {
	if s.sketch != nil {
		s.sketch.Release()
		s.sketch = nil
	}
	s.raw = s.raw[:0]
}
