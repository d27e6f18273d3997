package hbase

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// swap sets a column of a control row from one value to another; nil stands for
// a row that is not there. won is false when the column had a third.
//
// A check-and-put may take effect and its answer be lost; gohbase then sends it
// again by itself, and the second finds the first one's value. So each swap
// leaves the mark of its writer in the row, and who is told no, or nothing, looks
// whether the mark is its own.
func swap(ctx context.Context, c *client.Client, table, row, column string, from, to []byte) (won bool, err error) {
	if err := client.CheckSize([]byte(row), to); err != nil {
		return false, err
	}
	var mark [16]byte
	_, _ = rand.Read(mark[:]) // never fails
	err = c.Retry(ctx, func() error {
		ok, failed := c.CheckAndPut(ctx, table, row, controlFamily, column, from, client.Columns{column: to, writerColumn: mark[:]})
		if won = ok; ok {
			return nil
		}
		last, err := c.Get(ctx, table, row, controlFamily, writerColumn)
		if err != nil {
			return err
		}
		won = last != nil && bytes.Equal(last.Value, mark[:])
		if won {
			return nil
		}
		return failed // with an answer, it was no
	})
	return won && err == nil, err
}

// rows calls fn with each cell of the control rows that begin with prefix.
func (s *Store) rows(ctx context.Context, prefix string, fn func(kv *client.KeyValue) error) error {
	sc := &client.Scan{Table: s.names.control(), Start: []byte(prefix), Stop: after([]byte(prefix))}
	for more := true; more; {
		var block []byte
		var err error
		if block, more, err = s.client.Next(ctx, sc); err != nil {
			return err
		}
		for len(block) > 0 {
			var kv client.KeyValue
			if kv, block, err = client.NextKeyValue(block); err != nil {
				return err
			}
			if err := fn(&kv); err != nil {
				return err
			}
		}
	}
	return nil
}

// after is the first key behind all that begin with prefix; nil when there is
// none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// Epochs implements store.Control.
func (s *Store) Epochs(ctx context.Context) (all []store.Epoch, err error) {
	err = s.rows(ctx, epochPrefix, func(kv *client.KeyValue) error {
		if string(kv.Qualifier) != jsonColumn {
			return nil
		}
		var e store.Epoch
		if err := json.Unmarshal(kv.Value, &e); err != nil {
			return fmt.Errorf("%w: epoch: %w", store.ErrCorrupt, err)
		}
		all = append(all, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("epochs: %w", err)
	}
	return all, nil
}

// AppendEpoch implements store.Control. Epochs are never taken away, so when
// there are as many as the number says, the row of that number is the next one,
// and one of those who write it finds it empty.
func (s *Store) AppendEpoch(ctx context.Context, e store.Epoch) error {
	all, err := s.Epochs(ctx)
	if err != nil {
		return err
	}
	if err := e.Follows(len(all)); err != nil {
		return err
	}
	row, err := json.Marshal(e)
	if err != nil {
		return err
	}
	won, err := swap(ctx, s.client, s.names.control(), epochRow(e.Number), jsonColumn, nil, row)
	if err != nil {
		return fmt.Errorf("epoch %d: %w", e.Number, err)
	}
	if !won {
		return fmt.Errorf("%w: epoch %d", store.ErrConflict, e.Number)
	}
	return nil
}

// Pointer implements store.Control.
func (s *Store) Pointer(ctx context.Context) (store.Pointer, error) {
	p, _, err := s.pointer(ctx)
	return p, err
}

// pointer returns the row's bytes too; nil when there is none yet.
func (s *Store) pointer(ctx context.Context) (p store.Pointer, row []byte, err error) {
	c, err := s.client.Value(ctx, s.names.control(), pointerRow, controlFamily, jsonColumn)
	if err != nil {
		return p, nil, fmt.Errorf("pointer: %w", err)
	}
	if c == nil {
		return p, nil, nil
	}
	if err := json.Unmarshal(c.Value, &p); err != nil {
		return p, nil, fmt.Errorf("%w: pointer: %w", store.ErrCorrupt, err)
	}
	return p, c.Value, nil
}

// SwapPointer implements store.Control. The row's bytes hold the counter, so to
// compare them is to compare it.
func (s *Store) SwapPointer(ctx context.Context, expect uint64, p store.Pointer) error {
	have, from, err := s.pointer(ctx)
	if err != nil {
		return err
	}
	if have.Counter != expect || p.Counter != expect+1 {
		return fmt.Errorf("%w: pointer's counter is %d, not %d", store.ErrConflict, have.Counter, expect)
	}
	to, err := json.Marshal(p)
	if err != nil {
		return err
	}
	won, err := swap(ctx, s.client, s.names.control(), pointerRow, jsonColumn, from, to)
	if err != nil {
		return fmt.Errorf("pointer: %w", err)
	}
	if !won {
		return fmt.Errorf("%w: pointer's counter is no longer %d", store.ErrConflict, expect)
	}
	return nil
}

// Row implements store.Control.
func (s *Store) Row(ctx context.Context, name string) ([]byte, error) {
	c, err := s.client.Value(ctx, s.names.control(), rowPrefix+name, controlFamily, bytesColumn)
	if err != nil {
		return nil, fmt.Errorf("row %s: %w", name, err)
	}
	if c == nil {
		return nil, nil
	}
	return append([]byte{}, c.Value...), nil
}

// SwapRow implements store.Control.
func (s *Store) SwapRow(ctx context.Context, name string, from, to []byte) (won bool, err error) {
	won, err = swap(ctx, s.client, s.names.control(), rowPrefix+name, bytesColumn, from, to)
	if err != nil {
		return false, fmt.Errorf("row %s: %w", name, err)
	}
	return won, nil
}
