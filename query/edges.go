package query

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"speedlayer/event"
)

// Edges is the set of equiv edges that hold, and the mapping derived from it. Each
// edge is an unordered pair. The last of its records decides, so an edge added
// twice and removed once is gone. Persons are hashes (event.PersonHash), as in
// cells. The canonical person of a connected component is its smallest hash.
//
// Apply notes the change and the persons that it touches. The next query
// explores their components and replaces the parts of the mapping that changed.
// So reading 100,000 edges at start costs one build of the mapping, and a later
// edge costs the size of its component, not of the set.
//
// It is safe for concurrent use. Apply is called in the order of the log.
type Edges struct {
	current atomic.Pointer[canonical] // never changed once published
	stale   atomic.Bool               // an edge was applied after current was made

	mu struct {
		sync.Mutex
		edges   map[[2]string]int64 // pair -> ms since 1970 when the edge was added
		index   map[uint64]int32    // hash -> number of the node
		nodes   []node              // all persons that ever had an edge
		parts   [parts][]int32      // nodes, by part of the mapping
		touched []int32             // nodes whose components must be explored again
		changed [parts]bool         // parts that differ from current
		round   uint32              // number of the exploration
		waiters map[*edgeWaiter]struct{}
	}
}

// node is one person.
type node struct {
	hash, canonical uint64
	neighbours      []int32 // without repeats
	round           uint32  // round of the last exploration
}

// parts is how many parts the mapping has. An edge replaces only those that
// contain its persons.
const parts = 1024

func partOf(h uint64) int { return int(h >> 54) }

// NewEdges returns the empty set.
func NewEdges() *Edges {
	e := &Edges{}
	e.mu.edges = make(map[[2]string]int64)
	e.mu.index = make(map[uint64]int32)
	e.mu.waiters = make(map[*edgeWaiter]struct{})
	e.current.Store(&canonical{})
	return e
}

// Apply applies the next record of the log.
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
	if have == edge.Retract {
		x, y := e.node(event.PersonHash([]byte(a))), e.node(event.PersonHash([]byte(b)))
		if edge.Retract {
			e.unlink(x, y)
		} else {
			e.link(x, y)
		}
		e.stale.Store(true)
	}
	for w := range e.mu.waiters {
		if w.edge == (event.Edge{ID1: a, ID2: b, TS: edge.TS, Retract: edge.Retract}) {
			close(w.applied)
			delete(e.mu.waiters, w)
		}
	}
}

// node returns the number of a person's node and creates a new node if needed.
func (e *Edges) node(h uint64) int32 {
	if n, ok := e.mu.index[h]; ok {
		return n
	}
	n := int32(len(e.mu.nodes))
	e.mu.index[h] = n
	e.mu.nodes = append(e.mu.nodes, node{hash: h, canonical: h})
	part := partOf(h)
	e.mu.parts[part] = append(e.mu.parts[part], n)
	return n
}

// link adds an edge. A person without edges that joins a person with a lower
// canonical hash takes that hash over at once. So a component that grows one by one,
// however large, is explored only a few times.
func (e *Edges) link(x, y int32) {
	a, b := &e.mu.nodes[x], &e.mu.nodes[y]
	if len(e.mu.touched) == 0 && len(a.neighbours) == 0 && b.canonical < a.hash {
		e.set(x, b.canonical)
	} else if len(e.mu.touched) == 0 && len(b.neighbours) == 0 && a.canonical < b.hash {
		e.set(y, a.canonical)
	} else {
		e.mu.touched = append(e.mu.touched, x)
	}
	a.neighbours = append(a.neighbours, y)
	b.neighbours = append(b.neighbours, x)
}

func (e *Edges) unlink(x, y int32) {
	for _, side := range [][2]int32{{x, y}, {y, x}} {
		n := &e.mu.nodes[side[0]].neighbours
		if i := slices.Index(*n, side[1]); i >= 0 {
			(*n)[i] = (*n)[len(*n)-1]
			*n = (*n)[:len(*n)-1]
		}
	}
	e.mu.touched = append(e.mu.touched, x, y)
}

// Len returns how many edges hold.
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
	edge    event.Edge // with the smaller identifier first
	applied chan struct{}
}

// expect returns a waiter for a record that is about to be appended. The caller must
// call forget when it does not need the waiter any more.
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

// snapshot returns the mapping by all edges applied so far.
func (e *Edges) snapshot() *canonical {
	if !e.stale.Load() {
		return e.current.Load()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stale.Load() {
		return e.current.Load()
	}
	e.explore()
	next := *e.current.Load()
	next.edges = len(e.mu.edges)
	for part, changed := range e.mu.changed {
		if changed {
			next.parts[part] = e.makePart(part)
		}
	}
	e.mu.changed = [parts]bool{}
	e.current.Store(&next)
	e.stale.Store(false)
	return &next
}

// explore assigns the canonical person to every person of a touched component.
func (e *Edges) explore() {
	e.mu.round++
	var component []int32
	for _, start := range e.mu.touched {
		if e.mu.nodes[start].round == e.mu.round {
			continue
		}
		e.mu.nodes[start].round = e.mu.round
		component = append(component[:0], start)
		lowest := e.mu.nodes[start].hash
		for i := 0; i < len(component); i++ {
			for _, next := range e.mu.nodes[component[i]].neighbours {
				if n := &e.mu.nodes[next]; n.round != e.mu.round {
					n.round = e.mu.round
					lowest = min(lowest, n.hash)
					component = append(component, next)
				}
			}
		}
		for _, n := range component {
			e.set(n, lowest)
		}
	}
	e.mu.touched = e.mu.touched[:0]
}

func (e *Edges) set(i int32, canonical uint64) {
	if n := &e.mu.nodes[i]; n.canonical != canonical {
		n.canonical = canonical
		e.mu.changed[partOf(n.hash)] = true
	}
}
