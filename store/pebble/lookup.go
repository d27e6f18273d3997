package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/store"
)

// Cells implements store.Writer. Most cells that a processor misses do not exist,
// and the filters of the tables tell so without reading a block. One iterator
// serves all keys. They are sorted, so it mostly moves on from its current position.
func (s *Store) Cells(ctx context.Context, id store.Shard, keys []store.Key, fn func(i int, version int64, value []byte) error) (err error) {
	if s.isClosed() {
		return store.ErrClosed
	}
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer func() { err = s.named(errors.Join(err, it.Close())) }()
	var key []byte
	var checked uint32
	live := false
	for i := range keys {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if i == 0 || keys[i].Generation != checked {
			checked = keys[i].Generation
			in, known := s.generation(checked)
			if !known {
				return fmt.Errorf("%w: %d", store.ErrNoGeneration, checked)
			}
			live = in.live
		}
		if !live {
			continue
		}
		key = appendCellKey(key[:0], &keys[i], id)
		if err := cellAt(it, key, func(version int64, value []byte) error { return fn(i, version, value) }); err != nil {
			return err
		}
	}
	return nil
}

// cellAt calls fn with the cell of a key, if it exists.
func cellAt(it *pebble.Iterator, key []byte, fn func(version int64, value []byte) error) error {
	if !it.SeekPrefixGE(key) {
		return it.Error()
	}
	if !bytes.Equal(it.Key(), key) {
		return nil
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	version, b, err := parseCellValue(value)
	if err != nil {
		return err
	}
	return fn(version, b)
}
