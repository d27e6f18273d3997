package hbase

import (
	"fmt"
	"sync"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// encoder makes puts of cells: one for each url and day, with the cells of all
// views. It is reused, because touching new memory costs more than encoding.
type encoder struct {
	groups  [buckets]group
	n       int // groups in use
	row     []byte
	prefix  []byte // in a hashed row, what stands before each value
	day     dayText
	hour    int32
	delta   int32
	column  []byte
	heads   []section
	actions []client.Action
}

// group holds the puts of some buckets, one after the other.
type group struct {
	cells []byte
	puts  []put
}

// put is the place of a row in a group: from the end of the previous put to end.
type put struct{ end, n int }

// section is the remaining cells of one view.
type section []store.Cell

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// encode makes puts of the cells, which belong to one generation and are sorted by
// key. It makes as many groups as a table has regions at first.
func (e *encoder) encode(cells []store.Cell, shard store.Shard, regions int) error {
	e.n = regions
	for i := range e.groups {
		e.groups[i].cells, e.groups[i].puts = e.groups[i].cells[:0], e.groups[i].puts[:0]
	}
	e.column, e.hour = e.column[:0], -1
	e.heads = e.heads[:0]
	for begin, i := 0, 1; i <= len(cells); i++ {
		if i == len(cells) || cells[i].Key.View != cells[begin].Key.View {
			e.heads = append(e.heads, cells[begin:i])
			begin = i
		}
	}
	for {
		first := e.first()
		if first < 0 {
			return nil
		}
		if err := e.addRow(first, shard); err != nil {
			return err
		}
	}
}

// first returns the section whose next cell has the lowest row, or -1 at the end.
func (e *encoder) first() int {
	first := -1
	for i, h := range e.heads {
		if len(h) > 0 && (first < 0 || rowBefore(&h[0].Key, &e.heads[first][0].Key)) {
			first = i
		}
	}
	return first
}

func rowBefore(a, b *store.Key) bool {
	if a.URL != b.URL {
		return a.URL < b.URL
	}
	return a.Hour/hoursADay < b.Hour/hoursADay
}

// addRow adds the cells of the lowest row, from all sections, to its group.
func (e *encoder) addRow(first int, shard store.Shard) error {
	key := e.heads[first][0].Key
	day := key.Hour / hoursADay
	e.row = e.day.append(appendURLRow(e.row[:0], key.URL), day)
	e.prefix = e.prefix[:0]
	if hashed(key.URL) {
		e.prefix = appendURLValue(e.prefix, key.URL)
	}
	g := &e.groups[bucketOf(key.URL)*e.n/buckets]
	n := 0
	for i := range e.heads {
		h := e.heads[i]
		for len(h) > 0 && h[0].Key.Hour/hoursADay == day && h[0].Key.URL == key.URL {
			c := &h[0]
			if err := client.CheckSize(e.row, e.prefix, c.Value); err != nil {
				return err
			}
			if e.hour != c.Key.Hour || e.delta != c.Delta {
				if c.Delta < 0 || c.Delta > deltas {
					return fmt.Errorf("hbase: delta %d of a cell: allowed are %d", c.Delta, deltas)
				}
				e.hour, e.delta = c.Key.Hour, c.Delta
				e.column = appendQualifier(e.column[:0], c.Key.Hour%hoursADay, shard, c.Delta)
			}
			g.cells = client.AppendKeyValue(g.cells, e.row, family(c.Key.View), e.column, uint64(c.Version), e.prefix, c.Value)
			h = h[1:]
			n++
		}
		e.heads[i] = h
	}
	g.puts = append(g.puts, put{len(g.cells), n})
	return nil
}

// These are the bounds of one request. They limit what a region server does at once,
// and how much is sent again when an answer is lost.
const (
	requestRows  = client.MaxRequestRows
	requestBytes = 4 << 20
)

// requests splits the groups into requests, which alias the encoder.
func (e *encoder) requests() (all [][]client.Action) {
	e.actions = e.actions[:0]
	var ends []int
	for i := range e.n {
		g := &e.groups[i]
		start, rows, size := 0, 0, 0
		for _, p := range g.puts {
			if rows == requestRows || rows > 0 && size+p.end-start > requestBytes {
				ends = append(ends, len(e.actions))
				rows, size = 0, 0
			}
			cells := g.cells[start:p.end:p.end]
			row := client.RowOf(cells)
			e.actions = append(e.actions, client.Action{Row: row, Cells: cells, N: p.n})
			rows, size, start = rows+1, size+p.end-start, p.end
		}
		if rows > 0 {
			ends = append(ends, len(e.actions))
		}
	}
	begin := 0
	for _, end := range ends {
		all = append(all, e.actions[begin:end:end])
		begin = end
	}
	return all
}
