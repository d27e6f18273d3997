package query

// canonical maps the hash of a person to the hash of the canonical person. It never
// changes once made, so any number of queries use it without a lock.
type canonical struct {
	edges int
	parts [parts]*canonicalPart
}

// canonicalPart is an open-addressing table of (person, canonical) pairs, at
// most half full. 0 is never a key: as the smallest hash it is its own canonical.
// In front of the table is a filter with a bit for each person, 16 bits a row or
// more. Nearly all persons of a query have no edge, and for most of them the filter
// saves the access to the table, which does not fit into the cache of a core as the
// filters do.
type canonicalPart struct {
	mask       uint64
	rows       [][2]uint64
	filter     []uint64
	filterMask uint64
}

func (p *canonicalPart) bit(h uint64) (word *uint64, bit uint64) {
	i := h >> 24 & p.filterMask // bits other than those that choose the row
	return &p.filter[i/64], 1 << (i % 64)
}

// makePart makes the table of one part. It leaves out persons who are their own
// canonical person.
func (e *Edges) makePart(part int) *canonicalPart {
	others := 0
	for _, i := range e.mu.parts[part] {
		if n := &e.mu.nodes[i]; n.canonical != n.hash {
			others++
		}
	}
	if others == 0 {
		return nil
	}
	size := 4
	for size < 2*others {
		size *= 2
	}
	p := &canonicalPart{mask: uint64(size - 1), rows: make([][2]uint64, size),
		filter: make([]uint64, max(1, size*16/64)), filterMask: uint64(size*16 - 1)}
	for _, i := range e.mu.parts[part] {
		n := &e.mu.nodes[i]
		if n.canonical == n.hash {
			continue
		}
		at := n.hash & p.mask
		for p.rows[at][0] != 0 {
			at = (at + 1) & p.mask
		}
		p.rows[at] = [2]uint64{n.hash, n.canonical}
		word, bit := p.bit(n.hash)
		*word |= bit
	}
	return p
}

// of returns the canonical hash of a person.
func (c *canonical) of(h uint64) uint64 {
	p := c.parts[partOf(h)]
	if p == nil {
		return h
	}
	if word, bit := p.bit(h); *word&bit == 0 {
		return h
	}
	for i := h & p.mask; ; i = (i + 1) & p.mask {
		switch p.rows[i][0] {
		case h:
			return p.rows[i][1]
		case 0:
			return h
		}
	}
}

// fn returns the map for crdt.Merger, or nil if it changes nobody.
func (c *canonical) fn() func(uint64) uint64 {
	if c.edges == 0 {
		return nil
	}
	return c.of
}
