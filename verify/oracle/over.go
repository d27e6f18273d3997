package oracle

import "slices"

// Base is what a batch run must hold, to be asked together with the generations
// from its number on. It is not changed once made.
type Base struct {
	cells map[BatchKey]BatchValue
	canon map[uint64]uint64
}

// Base is the run as it is now.
func (b *Batch) Base() *Base { return &Base{b.Cells(), components(b.persons.edges)} }

// Canonical is the person whom the run's edges make of another, as hashes.
func (b *Base) Canonical(hash uint64) uint64 {
	if c, ok := b.canon[hash]; ok {
		return c
	}
	return hash
}

// Each calls fn with every cell, in the order of BatchKey.Compare.
func (b *Base) Each(fn func(k BatchKey, v BatchValue)) {
	keys := make([]BatchKey, 0, len(b.cells))
	for k := range b.cells {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, BatchKey.Compare)
	for _, k := range keys {
		fn(k, b.cells[k])
	}
}

// Has reports whether a url has a cell in the hours from <= hour < to.
func (b *Base) Has(v View, url string, from, to int32) bool {
	for hour := from; hour < to; hour++ {
		if _, ok := b.cells[BatchKey{v, url, 1, hour}]; ok {
			return true
		}
	}
	return false
}

// hour is what an hour of the run brings into an answer, nil if it has none; open
// reports that a realtime generation has a cell for it too (law 8).
func (b *Base) hour(k hourKey, open bool) *merged {
	v, ok := b.cells[BatchKey{k.view, k.url, 1, k.hour}]
	if !ok {
		return nil
	}
	m := &merged{pageviews: v.Pageviews, hashes: map[uint64]bool{}, registers: slices.Clone(v.Registers), byRun: v.Registers != nil}
	for _, h := range v.Hashes {
		m.hashes[h] = true
	}
	if m.visits, m.bounces = int64(v.Canonical), int64(v.CanonicalBounces); open {
		m.visits, m.bounces = int64(v.Raw), int64(v.RawBounces)
	}
	return m
}

// Over puts the views of a batch run under the cells, which should be of the
// generations from the run's number on.
func (a *Answers) Over(b *Base) *Answers {
	a.batch, a.all = b, nil
	return a
}

// MergeCell adds one cell, as of any partition.
func (a *Answers) MergeCell(k CellKey, v Value) { a.merge(hourKey{k.View, k.URL, k.Hour}, v) }

// hour is one cell over everything; nil if there is none.
func (a *Answers) hour(k hourKey) *merged {
	m := a.cells[k]
	if a.batch == nil {
		return m
	}
	base := a.batch.hour(k, m != nil)
	switch {
	case base == nil:
		return m
	case m != nil:
		base.add(m)
	}
	return base
}

// keys are those of all cells.
func (a *Answers) keys() map[hourKey]bool {
	if a.all != nil {
		return a.all
	}
	a.all = map[hourKey]bool{}
	for k := range a.cells {
		a.all[k] = true
	}
	if a.batch != nil {
		for k := range a.batch.cells {
			if k.Hours == 1 {
				a.all[hourKey{k.View, k.URL, k.Begin}] = true
			}
		}
	}
	return a.all
}
