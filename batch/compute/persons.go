package compute

import (
	"cmp"
	"slices"

	"speedlayer/batch/views"
	"speedlayer/event"
)

// canonical maps hashes of persons to those of their canonical persons. A person that
// is not in the map is its own canonical person.
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

// list returns the mapping in the form that the run keeps.
func (c canonical) list() []views.Person {
	all := make([]views.Person, 0, len(c))
	for raw, p := range c {
		all = append(all, views.Person{Raw: raw, Canonical: p})
	}
	slices.SortFunc(all, func(a, b views.Person) int { return cmp.Compare(a.Raw, b.Raw) })
	return all
}

// resolve joins persons. The last record of a pair decides whether its edge holds.
// The canonical person of a connected component is its smallest hash. resolve is a
// union-find in which the root is the smallest.
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
