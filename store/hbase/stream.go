package hbase

import (
	"bytes"
	"context"
	"slices"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
	"speedlayer/store/parts"
)

// stream yields the rows of one bucket in a range, in order of url and day. It holds
// one page and fetches the next in the meantime, with at most one goroutine, which
// ends with the page or the context.
type stream struct {
	s    *Store
	scan client.Scan
	rg   store.Range

	coming chan fetched // the requested page; nil: none
	cells  []byte       // rest of the current page
	rows   []line       // rows read so far, in order, from at on
	at     int
	held   *line // the row after those that were sorted together

	columns []column // columns of the current row; reused
	merger  parts.Merger
}

type fetched struct {
	cells []byte
	more  bool
	next  client.Scan
	err   error
}

// line is one row as it was read. All of it aliases its page.
type line struct {
	row
	cells []byte // its key values
}

// newStream requests the rows of one bucket in which the range may have cells.
func (s *Store) newStream(rg store.Range, bucket int) *stream {
	st := &stream{s: s, rg: rg}
	st.scan = client.Scan{Table: s.names.cells(rg.Generation), Family: family(rg.View)}
	first, last := rg.From/hoursADay, (rg.To-1)/hoursADay
	if rg.Prefix {
		first, end := rg.URLBounds()
		row := func(url string) []byte { // a hashed url sorts among those with its head
			return append([]byte{hexDigits[bucket], ':'}, url[:min(len(url), headBytes)]...)
		}
		st.scan.Start, st.scan.Stop = row(first), row(end)
		if len(end) == 0 || len(end) >= headBytes {
			st.scan.Stop = after(st.scan.Stop)
		}
	} else {
		st.scan.Start = appendDay(appendURLRow(nil, rg.URL), first)
		st.scan.Stop = append(appendDay(appendURLRow(nil, rg.URL), last), 0)
	}
	if first == last {
		st.scan.Low = appendHour(nil, rg.From%hoursADay)
		st.scan.High = append(appendHour(nil, (rg.To-1)%hoursADay), '/'+1)
	}
	return st
}

// ask starts reading the next page.
func (st *stream) ask(ctx context.Context) {
	coming := make(chan fetched, 1)
	st.coming = coming
	sc := st.scan
	go func() {
		cells, more, err := st.s.client.Next(ctx, &sc)
		coming <- fetched{cells, more, sc, err}
	}()
}

// next advances to the next row; more is false at the end.
func (st *stream) next(ctx context.Context) (more bool, err error) {
	if st.at++; st.at < len(st.rows) {
		return true, nil
	}
	st.at, st.rows = 0, st.rows[:0]
	l, err := st.read(ctx)
	if err != nil || l == nil {
		return false, err
	}
	st.rows = append(st.rows, *l)
	if len(l.url) < headBytes {
		return true, nil
	}
	return true, st.sortHead(ctx)
}

// sortHead reads all rows whose urls begin with the same head and sorts them. Some
// of them are hashed and are stored in the order of their hash.
func (st *stream) sortHead(ctx context.Context) error {
	head := st.rows[0].url[:headBytes]
	for {
		l, err := st.read(ctx)
		if err != nil {
			return err
		}
		if l == nil || len(l.url) < headBytes || !bytes.Equal(l.url[:headBytes], head) {
			st.held = l
			break
		}
		st.rows = append(st.rows, *l)
	}
	slices.SortStableFunc(st.rows, func(a, b line) int {
		if c := bytes.Compare(a.url, b.url); c != 0 {
			return c
		}
		return int(a.day - b.day)
	})
	return nil
}

// read takes one row in the range from the pages; it returns nil at the end.
func (st *stream) read(ctx context.Context) (*line, error) {
	if l := st.held; l != nil {
		st.held = nil
		return l, nil
	}
	for {
		for len(st.cells) == 0 {
			if st.coming == nil {
				return nil, nil
			}
			var p fetched
			select {
			case p = <-st.coming:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if p.err != nil {
				return nil, p.err
			}
			st.cells, st.scan, st.coming = p.cells, p.next, nil
			if p.more {
				st.ask(ctx)
			}
		}
		l, err := st.line()
		if err != nil {
			return nil, err
		}
		if st.wanted(l) {
			return l, nil
		}
	}
}

// line takes the cells of one row from the page.
func (st *stream) line() (*line, error) {
	kv, rest, err := client.NextKeyValue(st.cells)
	if err != nil {
		return nil, err
	}
	l := &line{}
	if l.row, err = parseRow(kv.Row); err != nil {
		return nil, err
	}
	if l.hashed {
		if l.url, _, err = urlOfValue(kv.Value); err != nil {
			return nil, err
		}
	}
	key := kv.Row
	n := len(st.cells)
	for {
		l.cells = st.cells[:n-len(rest)]
		if len(rest) == 0 {
			break
		}
		kv, behind, err := client.NextKeyValue(rest)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(kv.Row, key) {
			break
		}
		rest = behind
	}
	st.cells = rest
	return l, nil
}

// wanted reports whether a row is in the range: hashed rows, and days of other urls,
// may be interleaved.
func (st *stream) wanted(l *line) bool {
	if l.day < st.rg.From/hoursADay || l.day > (st.rg.To-1)/hoursADay {
		return false
	}
	return st.rg.HasURL(l.url)
}

// before orders streams by their current rows. No two have the same url.
func (st *stream) before(o *stream) bool {
	return bytes.Compare(st.rows[st.at].url, o.rows[o.at].url) < 0
}

// column is one part of a cell in its row: the whole, or a delta.
type column struct {
	hour  int32
	shard store.Shard
	delta int32 // 0 for the whole
	part  parts.Part
}

func (c column) compare(o column) int {
	if c.hour != o.hour {
		return int(c.hour - o.hour)
	}
	if n := c.shard.Compare(o.shard); n != 0 {
		return n
	}
	return int(c.delta - o.delta)
}

// emit calls fn with the cells of the row, by hour and shard. HBase orders columns
// by their bytes: partition 10 before 2.
func (st *stream) emit(rg store.Range, c *store.ScanCell, fn func(c *store.ScanCell) error) error {
	l := &st.rows[st.at]
	columns := st.columns[:0]
	sorted := true
	for rest := l.cells; len(rest) > 0; {
		var k column
		kv, behind, err := client.NextKeyValue(rest)
		if err != nil {
			return err
		}
		rest = behind
		if k.hour, k.shard, k.delta, err = parseQualifier(kv.Qualifier); err != nil {
			return err
		}
		if h := l.day*hoursADay + k.hour; h < rg.From || h >= rg.To {
			continue
		}
		k.part = parts.Part{Version: int64(kv.Timestamp), Value: kv.Value, Delta: k.delta > 0}
		if l.hashed {
			if _, k.part.Value, err = urlOfValue(kv.Value); err != nil {
				return err
			}
		}
		if n := len(columns); n > 0 && columns[n-1].compare(k) > 0 {
			sorted = false
		}
		columns = append(columns, k)
	}
	st.columns = columns
	if !sorted {
		slices.SortFunc(columns, column.compare)
	}
	for len(columns) > 0 {
		k := columns[0]
		st.merger.Reset()
		for len(columns) > 0 && columns[0].hour == k.hour && columns[0].shard == k.shard {
			st.merger.Add(columns[0].part)
			columns = columns[1:]
		}
		version, value, err := st.merger.Cell()
		if err != nil {
			return err
		}
		*c = store.ScanCell{URL: l.url, Hour: l.day*hoursADay + k.hour, Shard: k.shard, Version: version, Value: value}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}
