package archive

import (
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go"
)

// readGroup fills cols with the columns of a row group, page by page. The row readers
// of the library do the same value by value, at a tenth of the speed.
func (c *Columns) readGroup(g parquet.RowGroup, want Column) error {
	c.N = int(g.NumRows())
	for w := want; w != 0; w &= w - 1 {
		col := Column(1) << bits.TrailingZeros32(uint32(w))
		if col == ReroutedFrom {
			if err := c.readRerouted(g); err != nil {
				return err
			}
			continue
		}
		name := columnNames[bits.TrailingZeros32(uint32(w))]
		leaf, ok := g.Schema().Lookup(name)
		if !ok {
			return fmt.Errorf("%w: no column %s", ErrCorrupt, name)
		}
		if err := c.readColumn(g.ColumnChunks()[leaf.ColumnIndex], col); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	return nil
}

func (c *Columns) readColumn(chunk parquet.ColumnChunk, col Column) (err error) {
	var n int
	switch col {
	case Offset:
		c.Offset, err = readInts(chunk, c.Offset[:0])
		n = len(c.Offset)
	case RecordTime:
		c.RecordTime, err = readInts(chunk, c.RecordTime[:0])
		n = len(c.RecordTime)
	case LogTime:
		c.LogTime, err = readInts(chunk, c.LogTime[:0])
		n = len(c.LogTime)
	case TS:
		c.TS, err = readTimes(chunk, c.TS[:0])
		n = len(c.TS)
	case KindOf:
		c.Kind, err = c.readKinds(chunk, c.Kind[:0])
		n = len(c.Kind)
	default:
		t := c.text(col)
		if err = t.read(chunk); t.Index != nil {
			n = len(t.Index)
		} else {
			n = t.Len()
		}
	}
	if err == nil && n != c.N {
		err = fmt.Errorf("%w: %d values in %d rows", ErrCorrupt, n, c.N)
	}
	return err
}

// text returns the column of a bit.
func (c *Columns) text(col Column) *Text {
	switch col {
	case Page:
		return &c.Page
	case Person:
		return &c.Person
	case Nonce:
		return &c.Nonce
	case URL:
		return &c.URL
	case Referrer:
		return &c.Referrer
	default:
		return &c.UserAgent
	}
}

// eachPage calls fn with the pages of a chunk. A page is valid only during the call.
func eachPage(chunk parquet.ColumnChunk, fn func(p parquet.Page) error) error {
	pages := chunk.Pages()
	for {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return pages.Close()
		}
		if err == nil {
			err = fn(p)
			parquet.Release(p)
		}
		if err != nil {
			return errors.Join(err, pages.Close())
		}
	}
}

func readInts(chunk parquet.ColumnChunk, to []int64) ([]int64, error) {
	err := eachPage(chunk, func(p parquet.Page) error {
		data := p.Data()
		to = append(to, data.Int64()...)
		return nil
	})
	return to, err
}

// readTimes reads times. Times that are null become 0.
func readTimes(chunk parquet.ColumnChunk, to []int64) ([]int64, error) {
	err := eachPage(chunk, func(p parquet.Page) error {
		levels := p.DefinitionLevels()
		data := p.Data()
		values := data.Int64()
		if len(levels) == 0 { // the column has no nulls
			to = append(to, values...)
			return nil
		}
		for _, l := range levels {
			if l == 0 {
				to = append(to, 0)
				continue
			}
			if len(values) == 0 {
				return fmt.Errorf("%w: fewer values than levels", ErrCorrupt)
			}
			to, values = append(to, values[0]), values[1:]
		}
		return nil
	})
	return to, err
}

// readKinds reads kinds, using the numbers of their names in the dictionary.
func (c *Columns) readKinds(chunk parquet.ColumnChunk, to []Kind) ([]Kind, error) {
	var t = &c.kinds
	if err := t.read(chunk); err != nil {
		return to, err
	}
	var known [kinds + 1]Kind
	if t.Index == nil || t.Len() > len(known) {
		return to, fmt.Errorf("%w: kinds without a dictionary of theirs", ErrCorrupt)
	}
	for i := range t.Len() {
		k, ok := parseKind(string(t.Text(int32(i))))
		if !ok {
			return to, fmt.Errorf("%w: kind %q", ErrCorrupt, t.Text(int32(i)))
		}
		known[i] = k
	}
	for _, i := range t.Index {
		to = append(to, known[i])
	}
	return to, nil
}

// read fills the column. A page has a dictionary, which all pages of a chunk
// share, or separate texts.
func (t *Text) read(chunk parquet.ColumnChunk) error {
	t.reset()
	var dict parquet.Dictionary
	first := true
	err := eachPage(chunk, func(p parquet.Page) error {
		levels := p.DefinitionLevels()
		data := p.Data()
		d := p.Dictionary()
		if d == nil && len(levels) == 0 {
			at := int32(t.Len())
			texts, ends := data.ByteArray()
			t.addAll(texts, ends)
			if !first && len(t.Index) > 0 { // the dictionary became too large half-way
				for i := range p.NumValues() {
					t.Index = append(t.Index, at+int32(i))
				}
			}
			first = false
			return nil
		}
		if first || d != dict {
			if err := t.begin(first, d); err != nil {
				return err
			}
			first, dict = false, d
		}
		return t.addIndexed(levels, data.Int32())
	})
	if len(t.Index) == 0 {
		t.Index = nil
	}
	return err
}

// begin reads the dictionary of a chunk: its texts get numbers.
func (t *Text) begin(first bool, d parquet.Dictionary) error {
	if !first || d == nil {
		return fmt.Errorf("%w: two dictionaries in a column, or none in one with nulls", ErrCorrupt)
	}
	page := d.Page()
	data := page.Data()
	texts, ends := data.ByteArray()
	t.addAll(texts, ends)
	return nil
}

// addIndexed adds rows by the numbers of their texts. A row that is null has the empty
// text.
func (t *Text) addIndexed(levels []byte, index []int32) error {
	if len(levels) == 0 {
		t.Index = append(t.Index, index...)
		return nil
	}
	empty := int32(-1)
	for _, l := range levels {
		if l != 0 {
			if len(index) == 0 {
				return fmt.Errorf("%w: fewer values than levels", ErrCorrupt)
			}
			t.Index = append(t.Index, index[0])
			index = index[1:]
			continue
		}
		if empty < 0 {
			empty = t.add(nil)
		}
		t.Index = append(t.Index, empty)
	}
	return nil
}
