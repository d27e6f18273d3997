package compute

import (
	"cmp"
	"slices"

	"speedlayer/batch/views"
	"speedlayer/event"
)

// canonical maps hashes of persons to those of whom the edges make them; who is
// not in it is himself.
type canonical map[uint64]uint64

func (c canonical) of(raw uint64) uint64 {
	if len(c) == 0 {
		return raw
	}
	if p, ok := c[raw]; ok {
		return p
	}
	return raw
}

// list is the mapping as the run keeps it.
func (c canonical) list() []views.Person {
	all := make([]views.Person, 0, len(c))
	for raw, p := range c {
		all = append(all, views.Person{Raw: raw, Canonical: p})
	}
	slices.SortFunc(all, func(a, b views.Person) int { return cmp.Compare(a.Raw, b.Raw) })
	return all
}

// resolve joins persons: of a pair's records the last decides whether its edge
// holds, and the canonical person of a connected component is its smallest hash.
// It is a union-find whose roots are the smallest.
func resolve(edges []event.Edge) canonical {
	holds := map[[2]string]bool{}
	for _, e := range edges {
		a, b := e.Pair()
		holds[[2]string{a, b}] = !e.Retract
	}
	parent := canonical{}
	root := func(h uint64) uint64 {
		for {
			p, ok := parent[h]
			if !ok {
				return h
			}
			if up, ok := parent[p]; ok {
				parent[h] = up // halve the path
			}
			h = p
		}
	}
	for pair, yes := range holds {
		if !yes {
			continue
		}
		a, b := root(event.PersonHash([]byte(pair[0]))), root(event.PersonHash([]byte(pair[1])))
		if a != b {
			parent[max(a, b)] = min(a, b)
		}
	}
	for h := range parent {
		parent[h] = root(h)
	}
	return parent
}
