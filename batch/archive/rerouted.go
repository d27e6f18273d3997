package archive

import (
	"fmt"

	"github.com/parquet-go/parquet-go"
)

// ReroutedRow tells where a row was rerouted here from (law 5). Row is its number in
// the batch.
type ReroutedRow struct {
	Row       int
	Epoch     uint32
	Partition int32
	Offset    int64
}

// readRerouted reads the three columns that tell where rows came from. Nearly always,
// every value in them is null.
func (c *Columns) readRerouted(g parquet.RowGroup) error {
	c.Rerouted = c.Rerouted[:0]
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
						c.Rerouted = append(c.Rerouted, ReroutedRow{Row: row, Epoch: uint32(small[0])})
						small = small[1:]
					case at == len(c.Rerouted) || c.Rerouted[at].Row != row:
						return fmt.Errorf("%w: row %d has part of a source", ErrCorrupt, row)
					case n == 1:
						c.Rerouted[at].Partition, small = small[0], small[1:]
					default:
						c.Rerouted[at].Offset, large = large[0], large[1:]
					}
					at++
				}
				row++
			}
			return nil
		})
		if err == nil && (row != c.N || at != len(c.Rerouted)) {
			err = fmt.Errorf("%w: %d values in %d rows", ErrCorrupt, row, c.N)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	return nil
}

// cutRerouted keeps the rows [from, to).
func (c *Columns) cutRerouted(from, to int) {
	kept := c.Rerouted[:0]
	for _, m := range c.Rerouted {
		if from <= m.Row && m.Row < to {
			m.Row -= from
			kept = append(kept, m)
		}
	}
	c.Rerouted = kept
}
