package pebble

import (
	"context"
	"fmt"

	"speedlayer/store"
)

// Cells implements store.Writer. Most cells that a processor misses are not
// there at all; the filters of the tables say so without reading a block.
func (s *Store) Cells(ctx context.Context, id store.Shard, keys []store.Key, fn func(i int, version int64, value []byte) error) error {
	if s.isClosed() {
		return store.ErrClosed
	}
	var key []byte
	var checked uint32
	live, known := false, false
	for i := range keys {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if i == 0 || keys[i].Generation != checked {
			checked = keys[i].Generation
			if live, known = s.generation(checked); !known {
				return fmt.Errorf("%w: %d", store.ErrNoGeneration, checked)
			}
		}
		if !live {
			continue
		}
		key = appendCellKey(key[:0], &keys[i], id)
		if _, err := get(s.db, key, func(value []byte) error {
			version, b, err := parseCellValue(value)
			if err != nil {
				return err
			}
			return fn(i, version, b)
		}); err != nil {
			return err
		}
	}
	return nil
}
