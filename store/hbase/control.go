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

// swap changes a column of a control row from one value to another. A nil value
// stands for a missing row. won is false if the column had a third value.
//
// A check-and-put may take effect and its answer be lost. The client may then send
// it again by itself, and the second request finds the value of the first. So each
// swap leaves a mark of its writer in the row. A writer that gets a negative answer
// or none reads the row and checks whether the mark is its own.
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
		return failed // with an answer, the swap has lost
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

// after returns the first key after all keys that begin with prefix, or nil if
// there is none.
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

// AppendEpoch implements store.Control. Epochs are never removed. So when there are
// as many as the number, the row of that number is the next one, and exactly one of
// its writers finds it empty.
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

// pointer also returns the bytes of the row, or nil if it does not exist yet.
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

// SwapPointer implements store.Control. The bytes of the row contain the counter, so
// comparing them compares the counter.
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
