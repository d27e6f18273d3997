package topologies

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// The oracle interprets a definition. It shares nothing with package topology, and
// knows of the world only which events were sent.

// cellOf is a key and an hour, -1 without a window.
type cellOf struct {
	key  string
	hour int
}

// results are what the steps of a By must hold.
type wanted struct {
	counts map[cellOf]int
	sums   map[cellOf]int
	words  map[cellOf]map[string]int
	lists  map[cellOf]map[int][]int // by event: its items, in their order
}

// interpret returns the items of an event behind the local steps; ok is false if the
// record is rejected.
func (d *def) interpret(e *event) (out []item, ok bool) {
	if len(e.words) == 0 {
		return nil, true
	}
	for i, word := range e.words {
		out = append(out, item{id: 1000*e.number + 100*i, hour: e.hour, word: word})
	}
	for depth, l := range d.locals {
		var next []item
		for _, it := range out {
			if l == failOnBad && it.word == "bad" {
				return nil, false
			}
			if l == noB && it.word[0] == 'b' || l == third && it.id%3 == 0 {
				continue
			}
			if l == upper {
				it.word = strings.ToUpper(it.word)
			}
			if l == addHour {
				it.word += string(rune('0' + it.hour%2))
			}
			next = append(next, it)
			if l == twice {
				next = append(next, item{it.id + 1<<depth, it.hour, it.word})
			}
		}
		out = next
	}
	return out, true
}

// want interprets all events.
func (d *def) want(b *byDef, events []*event) wanted {
	w := wanted{map[cellOf]int{}, map[cellOf]int{}, map[cellOf]map[string]int{}, map[cellOf]map[int][]int{}}
	for _, e := range events {
		items, ok := d.interpret(e)
		if !ok {
			continue
		}
		for _, it := range items {
			c := cellOf{it.word, -1}
			switch b.key {
			case byLetter:
				c.key = it.word[:1]
			case byParity:
				c.key = "parity/" + string(rune('0'+it.id/1000%2))
			case byNothing:
				c.key = ""
			}
			if b.hourly {
				c.hour = it.hour
			}
			w.counts[c]++
			w.sums[c] += it.id/100%5 - 2
			if w.words[c] == nil {
				w.words[c], w.lists[c] = map[string]int{}, map[int][]int{}
			}
			w.words[c][it.word]++
			w.lists[c][e.number] = append(w.lists[c][e.number], it.id)
		}
	}
	return w
}

// ranking is a key with its count.
type ranking struct {
	key string
	n   int
}

// firstTwo are the keys with the highest counts.
func firstTwo(counts map[string]int) []ranking {
	var all []ranking
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, ranking{k, counts[k]})
	}
	slices.SortStableFunc(all, func(a, b ranking) int { return cmp.Compare(b.n, a.n) })
	return all[:min(2, len(all))]
}
