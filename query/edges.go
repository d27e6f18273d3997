package query

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"speedlayer/event"
)

// Edges is the set of equiv edges that hold, and from it who is whom. Each edge
// is an unordered pair; of its records the last one decides, so an edge added
// twice and removed once is gone. Persons are hashes (event.PersonHash), as in
// cells; the canonical person of a connected component is its smallest hash.
//
// Apply notes the change and the persons that it touches. The next query
// explores their components and replaces the parts of the mapping that changed:
// so reading 100,000 edges at start costs one building, and an edge that comes
// later costs the size of its component, not of the set.
//
// Safe for concurrent use. Apply is called in the order of the log.
type Edges struct {
	current atomic.Pointer[canonical] // never changed once published
	stale   atomic.Bool               // an edge came since current was made

	mu struct {
		sync.Mutex
		edges      map[[2]string]int64 // pair -> ms since 1970 when it was said
		neighbours map[uint64][]uint64 // by hash; an edge of one pair stands once on both sides
		touched    []uint64            // whose components must be explored again
		to         [parts]map[uint64]uint64
		waiters    map[*edgeWaiter]struct{}
	}
}

// parts is how many pieces the mapping has; an edge replaces only those that
// hold its persons.
const parts = 1024

func partOf(h uint64) int { return int(h >> 54) }

// NewEdges returns the empty set.
func NewEdges() *Edges {
	e := &Edges{}
	e.mu.edges = make(map[[2]string]int64)
	e.mu.neighbours = make(map[uint64][]uint64)
	e.mu.waiters = make(map[*edgeWaiter]struct{})
	e.current.Store(&canonical{})
	return e
}

// Apply takes the next record of the log.
func (e *Edges) Apply(edge event.Edge) {
	a, b := edge.Pair()
	pair := [2]string{a, b}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, have := e.mu.edges[pair]
	if edge.Retract {
		delete(e.mu.edges, pair)
	} else {
		e.mu.edges[pair] = edge.TS
	}
	if have == edge.Retract && a != b {
		x, y := event.PersonHash([]byte(a)), event.PersonHash([]byte(b))
		if edge.Retract {
			e.unlink(x, y)
			e.unlink(y, x)
		} else {
			e.mu.neighbours[x] = append(e.mu.neighbours[x], y)
			e.mu.neighbours[y] = append(e.mu.neighbours[y], x)
		}
		e.mu.touched = append(e.mu.touched, x, y)
		e.stale.Store(true)
	}
	for w := range e.mu.waiters {
		if w.edge == (event.Edge{ID1: a, ID2: b, TS: edge.TS, Retract: edge.Retract}) {
			close(w.applied)
			delete(e.mu.waiters, w)
		}
	}
}

func (e *Edges) unlink(x, y uint64) {
	n := e.mu.neighbours[x]
	if i := slices.Index(n, y); i >= 0 {
		n[i] = n[len(n)-1]
		n = n[:len(n)-1]
	}
	if len(n) == 0 {
		delete(e.mu.neighbours, x)
	} else {
		e.mu.neighbours[x] = n
	}
}

// Len is how many edges hold.
func (e *Edges) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.mu.edges)
}

// List returns the edges that hold, sorted.
func (e *Edges) List() []Equiv {
	e.mu.Lock()
	list := make([]Equiv, 0, len(e.mu.edges))
	for pair, ts := range e.mu.edges {
		list = append(list, Equiv{ID1: pair[0], ID2: pair[1], Time: event.FormatTime(ts)})
	}
	e.mu.Unlock()
	slices.SortFunc(list, func(x, y Equiv) int {
		return cmp.Or(cmp.Compare(x.ID1, y.ID1), cmp.Compare(x.ID2, y.ID2))
	})
	return list
}

// edgeWaiter waits for one record to be applied.
type edgeWaiter struct {
	edge    event.Edge // the smaller identifier first
	applied chan struct{}
}

// expect returns a waiter for a record that is about to be appended; forget
// must be called when it is of no more use.
func (e *Edges) expect(edge event.Edge) *edgeWaiter {
	edge.ID1, edge.ID2 = edge.Pair()
	w := &edgeWaiter{edge: edge, applied: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.waiters[w] = struct{}{}
	return w
}

func (e *Edges) forget(w *edgeWaiter) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.mu.waiters, w)
}

// snapshot is the mapping by all edges applied so far.
func (e *Edges) snapshot() *canonical {
	if !e.stale.Load() {
		return e.current.Load()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stale.Load() {
		return e.current.Load()
	}
	next := *e.current.Load()
	next.edges = len(e.mu.edges)
	e.explore(func(part int) { next.parts[part] = makePart(e.mu.to[part]) })
	e.current.Store(&next)
	e.stale.Store(false)
	return &next
}

// explore gives every person of a touched component its canonical one, and
// calls changed for each part of the mapping that differs then.
func (e *Edges) explore(changed func(part int)) {
	var different [parts]bool
	seen := make(map[uint64]struct{}, len(e.mu.touched))
	var component []uint64
	for _, start := range e.mu.touched {
		if _, ok := seen[start]; ok {
			continue
		}
		seen[start] = struct{}{}
		component = append(component[:0], start)
		for i := 0; i < len(component); i++ {
			for _, next := range e.mu.neighbours[component[i]] {
				if _, ok := seen[next]; !ok {
					seen[next] = struct{}{}
					component = append(component, next)
				}
			}
		}
		lowest := slices.Min(component)
		for _, h := range component {
			if part := partOf(h); e.set(part, h, lowest) {
				different[part] = true
			}
		}
	}
	e.mu.touched = e.mu.touched[:0]
	for part, is := range different {
		if is {
			changed(part)
		}
	}
}

// set maps h to c; a person who is its own canonical one is left out.
func (e *Edges) set(part int, h, c uint64) (changed bool) {
	old, have := e.mu.to[part][h]
	switch {
	case h == c:
		if have {
			delete(e.mu.to[part], h)
		}
		return have
	case have && old == c:
		return false
	}
	if e.mu.to[part] == nil {
		e.mu.to[part] = make(map[uint64]uint64)
	}
	e.mu.to[part][h] = c
	return true
}

// canonical maps the hash of a person to that of the person it is known to be.
// It is not changed once made: any number of queries use it without a lock.
type canonical struct {
	edges int
	parts [parts]*canonicalPart
}

// canonicalPart is an open-addressing table of (person, canonical) pairs, at
// most half full. 0 is no key: where it occurs it is the smallest, so its own.
type canonicalPart struct {
	mask uint64
	rows [][2]uint64
}

func makePart(m map[uint64]uint64) *canonicalPart {
	if len(m) == 0 {
		return nil
	}
	size := 4
	for size < 2*len(m) {
		size *= 2
	}
	p := &canonicalPart{mask: uint64(size - 1), rows: make([][2]uint64, size)}
	for h, c := range m {
		i := h & p.mask
		for p.rows[i][0] != 0 {
			i = (i + 1) & p.mask
		}
		p.rows[i] = [2]uint64{h, c}
	}
	return p
}

// of returns the canonical hash of a person's.
func (c *canonical) of(h uint64) uint64 {
	p := c.parts[partOf(h)]
	if p == nil {
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

// fn is what crdt.Union wants; nil when nobody is anybody else.
func (c *canonical) fn() func(uint64) uint64 {
	if c.edges == 0 {
		return nil
	}
	return c.of
}
