package oracle

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Answers are what queries must say, from the cells of any number of partitions
// and the equiv edges known by now.
type Answers struct {
	cells map[hourKey]*merged
	batch *Base            // nil: there is none
	all   map[hourKey]bool // keys of both; nil: to be made
	edges map[[2]string]bool
	canon map[uint64]uint64 // hash -> lowest hash of the same person; nil: to be made
}

type hourKey struct {
	view View
	url  string
	hour int32
}

type merged struct {
	pageviews       uint64
	visits, bounces int64
	hashes          map[uint64]bool
	registers       []byte
	byRun           bool // registers of a batch run are in it
}

// Visitors is a number of persons. Exact is false where a sketch is in it; then
// Count is the rounded estimate.
type Visitors struct {
	Count uint64
	Exact bool
}

// NewAnswers merges the cells of the generations from first on.
func NewAnswers(first uint32, partitions ...*Oracle) *Answers {
	a := &Answers{cells: map[hourKey]*merged{}, edges: map[[2]string]bool{}}
	for _, o := range partitions {
		for k, c := range o.cells {
			if k.Generation >= first && c.first != 0 {
				a.merge(hourKey{k.View, k.URL, k.Hour}, c.value())
			}
		}
	}
	return a
}

func (a *Answers) merge(k hourKey, v Value) {
	m := a.cells[k]
	if m == nil {
		a.all = nil
		m = &merged{hashes: map[uint64]bool{}}
		a.cells[k] = m
	}
	m.add(&merged{pageviews: v.Pageviews, visits: v.Visits, bounces: v.Bounces, registers: v.Registers})
	for _, h := range v.Hashes {
		m.hashes[h] = true
	}
}

func (m *merged) add(o *merged) {
	m.pageviews += o.pageviews
	m.visits += o.visits
	m.bounces += o.bounces
	m.byRun = m.byRun || o.byRun
	for h := range o.hashes {
		m.hashes[h] = true
	}
	if o.registers != nil {
		if m.registers == nil {
			m.registers = make([]byte, registerCount)
		}
		mergeRegisters(m.registers, o.registers)
	}
}

// sum adds up the hours from <= hour < to of one url.
func (a *Answers) sum(v View, url string, from, to int32) *merged {
	s := &merged{hashes: map[uint64]bool{}}
	for h := from; h < to; h++ {
		if m := a.hour(hourKey{v, url, h}); m != nil {
			s.add(m)
		}
	}
	return s
}

// Pageviews of a page or domain in the hours from <= hour < to.
func (a *Answers) Pageviews(url string, from, to int32) uint64 {
	return a.sum(Pageviews, url, from, to).pageviews
}

// Uniques are the distinct persons who viewed a page or domain.
func (a *Answers) Uniques(url string, from, to int32) Visitors {
	return a.count(a.sum(Uniques, url, from, to))
}

// Bounces are the visits of a domain that start in the range, and the bounces
// among them.
func (a *Answers) Bounces(domain string, from, to int32) (visits, bounces int64) {
	s := a.sum(Bounces, domain, from, to)
	return s.visits, s.bounces
}

// PageCount is one line of Top.
type PageCount struct {
	Page      string
	Pageviews uint64
	Visitors  Visitors
}

// Top is all pages of a domain by pageviews, the most first, then by page.
func (a *Answers) Top(domain string, from, to int32) []PageCount {
	pages := map[string]bool{}
	for k := range a.keys() {
		if k.view == Pageviews && strings.HasPrefix(k.url, domain+"/") && from <= k.hour && k.hour < to {
			pages[k.url] = true
		}
	}
	var top []PageCount
	for page := range pages {
		top = append(top, PageCount{page, a.Pageviews(page, from, to), a.Uniques(page, from, to)})
	}
	slices.SortFunc(top, func(x, y PageCount) int {
		return cmp.Or(cmp.Compare(y.Pageviews, x.Pageviews), cmp.Compare(x.Page, y.Page))
	})
	return top
}

// Line is one cell, merged over partitions and generations; which numbers count
// depends on the view.
type Line struct {
	View            View
	URL             string
	Hour            int32
	Pageviews       uint64
	Visitors        Visitors
	Visits, Bounces int64
}

func viewName(v View) string {
	return map[View]string{Pageviews: "pageviews", Uniques: "uniques", Bounces: "bounces"}[v]
}

// Export is every cell with from <= hour < to, by the name of its view, url and
// hour.
func (a *Answers) Export(from, to int32) []Line {
	var lines []Line
	for k := range a.keys() {
		m := a.hour(k)
		if k.hour < from || k.hour >= to {
			continue
		}
		l := Line{View: k.view, URL: k.url, Hour: k.hour, Pageviews: m.pageviews, Visits: m.visits, Bounces: m.bounces}
		if k.view == Uniques {
			l.Visitors = a.count(m)
		}
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(x, y Line) int {
		return cmp.Or(cmp.Compare(viewName(x.View), viewName(y.View)), cmp.Compare(x.URL, y.URL), cmp.Compare(x.Hour, y.Hour))
	})
	return lines
}

// Link records that two identifiers are one person; Unlink takes it back, however
// often it was said.
func (a *Answers) Link(id1, id2 string) { a.edges[edge(id1, id2)] = true; a.canon = nil }

// Unlink is the opposite of Link.
func (a *Answers) Unlink(id1, id2 string) { delete(a.edges, edge(id1, id2)); a.canon = nil }

func edge(id1, id2 string) [2]string { return [2]string{min(id1, id2), max(id1, id2)} }

// count counts persons after equiv edges; what is in registers stays as it is.
func (a *Answers) count(m *merged) Visitors {
	canon := a.canonical()
	if m.byRun {
		canon = a.batch.canon
	}
	persons := map[uint64]bool{}
	for h := range m.hashes {
		if c, ok := canon[h]; ok {
			h = c
		}
		persons[h] = true
	}
	if m.registers == nil {
		return Visitors{uint64(len(persons)), true}
	}
	registers := slices.Clone(m.registers)
	for h := range persons {
		addRegister(registers, h)
	}
	return Visitors{uint64(math.Round(estimate(registers))), false}
}

// canonical lowers the name of every identifier to that of its neighbours
// until nothing changes.
func (a *Answers) canonical() map[uint64]uint64 {
	if a.canon != nil {
		return a.canon
	}
	a.canon = components(a.edges)
	return a.canon
}

func components(edges map[[2]string]bool) map[uint64]uint64 {
	canon := map[uint64]uint64{}
	for e := range edges {
		for _, id := range e {
			canon[personHash(id)] = personHash(id)
		}
	}
	for changed := true; changed; {
		changed = false
		for e := range edges {
			x, y := personHash(e[0]), personHash(e[1])
			if low := min(canon[x], canon[y]); canon[x] != low || canon[y] != low {
				canon[x], canon[y] = low, low
				changed = true
			}
		}
	}
	return canon
}
