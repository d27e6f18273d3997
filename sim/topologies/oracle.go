package topologies

import (
	"cmp"
	"fmt"
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

// letter is what is remembered of a first letter.
type letter struct {
	text    string
	n       int
	touched int64
}

// remember interprets the step that remembers: past has the letters of a partition,
// the one that came longest ago first.
func remember(past []letter, e *event, items []item) []letter {
	for i := range items {
		for len(past) > 0 && e.logTime-past[0].touched > seenWindow.Milliseconds() {
			past = past[1:]
		}
		l := letter{text: items[i].word[:1]}
		if at := slices.IndexFunc(past, func(o letter) bool { return o.text == l.text }); at >= 0 {
			l = past[at]
			past = append(append([]letter{}, past[:at]...), past[at+1:]...)
		}
		items[i].word += fmt.Sprintf("#%d", l.n)
		l.n, l.touched = l.n+1, e.logTime
		if past = append(past, l); len(past) > seenEntries {
			past = past[1:]
		}
	}
	return past
}

// want interprets all events, in the order of each partition.
func (d *def) want(b *byDef, events []*event) wanted {
	w := wanted{map[cellOf]int{}, map[cellOf]int{}, map[cellOf]map[string]int{}, map[cellOf]map[int][]int{}}
	past := map[[2]int][]letter{} // by log epoch and partition
	for _, e := range events {
		items, ok := d.interpret(e)
		if !ok {
			continue
		}
		if d.memory {
			at := [2]int{e.epoch, e.part}
			past[at] = remember(past[at], e, items)
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
