package topologies

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"speedlayer/topology"
)

// def is a definition: what the topology is built from, and what the oracle
// interprets.
type def struct {
	nonce  bool // events have nonces, and may lie anywhere
	locals []local
	memory bool // the step that remembers follows: see seen
	bys    []byDef
}

type local int

// The batch-local steps.
const (
	upper     local = iota // map: the word in upper case
	noB                    // filter: no words that begin with b
	twice                  // flatmap: each item twice
	third                  // flatmap: nothing of every third item
	addHour                // map: the hour's parity behind the word
	failOnBad              // map: panics on the word bad, so the record is rejected
	locals
)

type byDef struct {
	key    keyKind
	hourly bool
	states []stateKind // each kind once
}

type keyKind int

// The keys.
const (
	byWord keyKind = iota
	byLetter
	byParity
	byNothing
	keyKinds
)

type stateKind int

// The steps with state.
const (
	count stateKind = iota
	sum
	unique
	list
	often
	stateKinds
)

func (d *def) String() string { return fmt.Sprintf("%+v", *d) }

// What is remembered of first letters: how often each has come, for few of them.
const (
	seenEntries = 2
	seenWindow  = 3 * time.Second
)

var numbers = topology.Codec[int]{Name: "number",
	Append: func(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) },
	Decode: func(b []byte) (int, error) { return strconv.Atoi(string(b)) }}

// draw makes a definition.
func draw(random *rand.Rand) *def {
	d := &def{nonce: random.IntN(2) == 0}
	d.memory = !d.nonce && random.IntN(2) == 0
	for range random.IntN(4) {
		d.locals = append(d.locals, local(random.IntN(int(locals))))
	}
	for range 1 + random.IntN(2) {
		b := byDef{key: keyKind(random.IntN(int(keyKinds))), hourly: random.IntN(2) == 0}
		for _, k := range random.Perm(int(stateKinds))[:1+random.IntN(3)] {
			if k := stateKind(k); !d.memory || k != list && k != often { // those cannot follow
				b.states = append(b.states, k)
			}
		}
		if len(b.states) == 0 {
			b.states = []stateKind{count}
		}
		d.bys = append(d.bys, b)
	}
	return d
}

// item is what travels through a topology: a word of a record.
type item struct {
	id   int // unique among all items
	hour int
	word string
}

// A record's text is its number, its hour, and words: "17 3 a b b".
func text(number, hour int, words []string) string {
	return strings.Join(append([]string{strconv.Itoa(number), strconv.Itoa(hour)}, words...), " ")
}

type line struct {
	number, hour int
	words        []string
}

var lines = topology.Codec[line]{Name: "line",
	Append: func(dst []byte, l line) []byte { return append(dst, text(l.number, l.hour, l.words)...) },
	Decode: func(b []byte) (l line, err error) {
		parts := strings.Split(string(b), " ")
		if len(parts) < 2 {
			return l, errors.New("a line has a number, an hour and words")
		}
		var err1, err2 error
		l.number, err1 = strconv.Atoi(parts[0])
		l.hour, err2 = strconv.Atoi(parts[1])
		l.words = parts[2:]
		return l, errors.Join(err1, err2)
	}}

var items = topology.Codec[item]{Name: "item",
	Append: func(dst []byte, it item) []byte { return fmt.Appendf(dst, "%d %d %s", it.id, it.hour, it.word) },
	Decode: func(b []byte) (it item, err error) {
		parts := strings.SplitN(string(b), " ", 3)
		if len(parts) != 3 {
			return it, errors.New("an item has three parts")
		}
		var err1, err2 error
		it.id, err1 = strconv.Atoi(parts[0])
		it.hour, err2 = strconv.Atoi(parts[1])
		it.word = parts[2]
		return it, errors.Join(err1, err2)
	}}

// handles are where the results of a By are read.
type handles struct {
	counts *topology.Counts
	top    *topology.Tops
	sums   *topology.Sums
	sets   *topology.Uniques
	lists  *topology.States[[]int]
	often  *topology.TopsBy
}

// build makes the topology.
func (d *def) build() (*topology.Topology, []handles) {
	t := topology.New("world")
	var options []topology.SourceOption[line]
	if d.nonce {
		options = append(options, topology.Nonce(func(l line) string { return strconv.Itoa(l.number) }))
	}
	at := topology.FlatMap(topology.Source(t, "lines", lines, options...), "split", func(l line) (all []item) {
		for i, w := range l.words {
			all = append(all, item{l.number*1000 + i*100, l.hour, w})
		}
		return all
	})
	for i, l := range d.locals {
		at = l.add(at, fmt.Sprintf("local-%d", i), i)
	}
	if d.memory {
		at = topology.Remember(at, "seen", func(it item) string { return it.word[:1] },
			topology.Memory[int]{States: numbers, Window: seenWindow, Entries: seenEntries},
			func(n int, it item) (int, []item) {
				it.word += "#" + strconv.Itoa(n)
				return n + 1, []item{it}
			})
	}
	var all []handles
	for i, b := range d.bys {
		all = append(all, b.add(at, strconv.Itoa(i)))
	}
	return t, all
}

func (l local) add(in *topology.Stream[item], name string, depth int) *topology.Stream[item] {
	switch l {
	case upper:
		return topology.Map(in, name, func(it item) item { it.word = strings.ToUpper(it.word); return it })
	case noB:
		return topology.Filter(in, name, func(it item) bool { return !strings.HasPrefix(it.word, "b") })
	case twice:
		return topology.FlatMap(in, name, func(it item) []item {
			again := it
			again.id += 1 << depth
			return []item{it, again}
		})
	case third:
		return topology.FlatMap(in, name, func(it item) []item {
			if it.id%3 == 0 {
				return nil
			}
			return []item{it}
		})
	case addHour:
		return topology.Map(in, name, func(it item) item { it.word += strconv.Itoa(it.hour % 2); return it })
	default:
		return topology.Map(in, name, func(it item) item {
			if it.word == "bad" {
				panic("a bad word")
			}
			return it
		})
	}
}

func (b *byDef) add(in *topology.Stream[item], n string) (h handles) {
	key := func(it item) string { return it.word }
	switch b.key {
	case byLetter:
		key = func(it item) string { return it.word[:1] }
	case byParity:
		key = func(it item) string { return "parity/" + strconv.Itoa(it.id/1000%2) }
	case byNothing:
		key = func(item) string { return "" }
	}
	var windows []topology.Window[item]
	if b.hourly {
		windows = append(windows, topology.Hours(func(it item) time.Time { return time.Unix(int64(it.hour)*3600+59, 0) }))
	}
	g := topology.By(in, "by-"+n, key, windows...)
	for _, k := range b.states {
		switch k {
		case count:
			h.counts = topology.Count(g, "count-"+n)
			h.top = topology.Top(h.counts, "top-"+n, 2)
		case sum:
			h.sums = topology.Sum(g, "sum-"+n, func(it item) int64 { return int64(it.id/100%5) - 2 })
		case unique:
			h.sets = topology.Unique(g, "unique-"+n, func(it item) string { return it.word })
		case list:
			h.lists = topology.Update(g, "list-"+n, items, topology.JSON[[]int](), func(ids []int, it item) []int { return append(ids[:len(ids):len(ids)], it.id) })
		case often:
			h.often = topology.TopBy(g, "often-"+n, 2, func(it item) string { return it.word })
		}
	}
	return h
}
