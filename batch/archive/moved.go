package archive

import (
	"fmt"

	"github.com/parquet-go/parquet-go"
)

// MovedRow tells where a row was moved here from (law 5). Row is its number in
// the batch.
type MovedRow struct {
	Row       int
	Epoch     uint32
	Partition int32
	Offset    int64
}

// readMoved reads the three columns that tell where rows came from. Nearly always,
// every value in them is null.
func (c *Columns) readMoved(g parquet.RowGroup) error {
	c.Moved = c.Moved[:0]
	for n, name := range [...]string{"source_epoch", "source_partition", "source_offset"} {
		leaf, ok := g.Schema().Lookup(name)
		if !ok {
			return fmt.Errorf("%w: no column %s", ErrCorrupt, name)
		}
		row, at := 0, 0
		err := eachPage(g.ColumnChunks()[leaf.ColumnIndex], func(p parquet.Page) error {
			data := p.Data()
			var small []int32
			var large []int64
			if n == 2 {
				large = data.Int64()
			} else {
				small = data.Int32()
			}
			for _, level := range p.DefinitionLevels() {
				if level != 0 {
					switch {
					case len(small)+len(large) == 0:
						return fmt.Errorf("%w: fewer values than levels", ErrCorrupt)
					case n == 0:
						c.Moved = append(c.Moved, MovedRow{Row: row, Epoch: uint32(small[0])})
						small = small[1:]
					case at == len(c.Moved) || c.Moved[at].Row != row:
						return fmt.Errorf("%w: row %d has part of a source", ErrCorrupt, row)
					case n == 1:
						c.Moved[at].Partition, small = small[0], small[1:]
					default:
						c.Moved[at].Offset, large = large[0], large[1:]
					}
					at++
				}
				row++
			}
			return nil
		})
		if err == nil && (row != c.N || at != len(c.Moved)) {
			err = fmt.Errorf("%w: %d values in %d rows", ErrCorrupt, row, c.N)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	return nil
}

// cutMoved keeps the rows [from, to).
func (c *Columns) cutMoved(from, to int) {
	kept := c.Moved[:0]
	for _, m := range c.Moved {
		if from <= m.Row && m.Row < to {
			m.Row -= from
			kept = append(kept, m)
		}
	}
	c.Moved = kept
}
