package cassandra

import (
	"context"
	"math"
	"unicode/utf8"

	"speedlayer/store"
	"speedlayer/store/parts"
)

// stream yields the rows of one partition in a range, in order of url, hour and shard. It
// holds one page and fetches the next in the meantime, with at most one goroutine,
// which ends with the page or the context.
type stream struct {
	s      *Store
	at     partition
	q      statement
	coming chan fetched // the requested page; nil: none
	rows   []cellRow    // rest of the current page; not empty, unless all is read
	merger parts.Merger
}

type fetched struct {
	rows []cellRow
	next []byte
	err  error
}

// newStream describes the rows of one partition in which the range may have cells.
func (s *Store) newStream(rg store.Range, at partition, rows int) *stream {
	st := &stream{s: s, at: at, q: statement{rows: rows}}
	g, bucket, day, view := rg.Generation, at.bucket, date(at.day), int16(rg.View)
	if !rg.Prefix {
		from, to := int8(0), int8(hoursADay-1)
		if at.day == rg.From/hoursADay {
			from = int8(rg.From % hoursADay)
		}
		if at.day == (rg.To-1)/hoursADay {
			to = int8((rg.To - 1) % hoursADay)
		}
		st.q.text, st.q.values = scanURL(g), []any{bucket, day, view, rg.URL, from, to}
		return st
	}
	first, end := rg.URLBounds()
	first = validPrefix(first)
	if end == "" || !utf8.ValidString(end) { // Cassandra compares UTF-8 only; emit leaves out what is too much
		st.q.text, st.q.values = scanFrom(g), []any{bucket, day, view, first}
	} else {
		st.q.text, st.q.values = scanBetween(g), []any{bucket, day, view, first, end}
	}
	return st
}

// validPrefix returns the longest beginning of a text that is UTF-8. It sorts at or
// before the text.
func validPrefix(text string) string {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n <= 1 {
				return text[:i]
			}
		}
	}
	return text
}

// first reads the first page within the time that all first pages have, and asks for
// the second.
func (st *stream) first(within, ctx context.Context) error {
	rows, next, err := pageOf(within, st.s.requests, st.q, nil, scanCell)
	if err != nil {
		return err
	}
	return st.take(ctx, fetched{rows: rows, next: next})
}

// take begins with a page. A page may be empty and yet have a next one.
func (st *stream) take(ctx context.Context, p fetched) error {
	for p.err == nil && len(p.rows) == 0 && len(p.next) > 0 {
		p.rows, p.next, p.err = pageOf(ctx, st.s.requests, st.q, p.next, scanCell)
	}
	if p.err != nil {
		return p.err
	}
	st.rows, st.coming = p.rows, nil
	if len(p.next) > 0 {
		coming := make(chan fetched, 1)
		st.coming = coming
		go func() {
			rows, next, err := pageOf(ctx, st.s.requests, st.q, p.next, scanCell)
			coming <- fetched{rows, next, err}
		}()
	}
	return nil
}

// more makes sure that there is a row, unless all is read.
func (st *stream) more(ctx context.Context) (bool, error) {
	if len(st.rows) > 0 {
		return true, nil
	}
	if st.coming == nil {
		return false, nil
	}
	select {
	case p := <-st.coming:
		if err := st.take(ctx, p); err != nil {
			return false, err
		}
		return len(st.rows) > 0, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// emit calls fn with the cells of the current url, by hour and shard. more reports
// whether there is another url.
func (st *stream) emit(ctx context.Context, rg *store.Range, c *store.ScanCell, fn func(c *store.ScanCell) error) (more bool, err error) {
	url := st.rows[0].url
	c.URL = append(c.URL[:0], url...)
	wanted := rg.HasURL(c.URL)
	for {
		cell := st.rows[0]
		st.merger.Reset()
		for more = true; more && st.rows[0].sameCell(&cell); {
			st.merger.Add(st.rows[0].content())
			st.rows = st.rows[1:]
			if more, err = st.more(ctx); err != nil {
				return false, err
			}
		}
		hour := int64(st.at.day)*hoursADay + int64(cell.hour)
		if wanted && hour >= int64(rg.From) && hour < int64(rg.To) && hour <= math.MaxInt32 {
			version, value, err := st.merger.Cell()
			if err != nil {
				return false, err
			}
			*c = store.ScanCell{URL: c.URL, Hour: int32(hour), Shard: cell.shard(), Version: version, Value: value}
			if err := fn(c); err != nil {
				return false, err
			}
		}
		if !more || st.rows[0].url != url {
			return more, nil
		}
	}
}
