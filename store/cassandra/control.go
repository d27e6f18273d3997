package cassandra

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"speedlayer/store"
)

// controlValue is a row of control.
type controlValue struct {
	value  []byte // nil: there is no such row
	writer []byte // of the last change
}

// read reads a row of control as all writes that were acknowledged have left it.
func (s *Store) read(ctx context.Context, name string) (controlValue, error) {
	return s.readAt(ctx, s.opts.Consistency, name)
}

// readSerial also completes a transaction that is in progress, or ends it: what it
// reads stays until the next transaction that begins.
func (s *Store) readSerial(ctx context.Context, name string) (controlValue, error) {
	return s.readAt(ctx, s.opts.serial(), name)
}

func (s *Store) readAt(ctx context.Context, level gocql.Consistency, name string) (v controlValue, err error) {
	found, err := s.requests.row(ctx, level, readControl, []any{name}, []any{&v.value, &v.writer})
	if err != nil {
		return controlValue{}, fmt.Errorf("row %s: %w", name, err)
	}
	if found && v.value == nil {
		v.value = []byte{}
	}
	return v, nil
}

// swap changes a row of control from one value to another. A nil value stands for a
// missing row. won is false if the row had a third value.
//
// Each swap leaves a mark of its writer in the row, and the transaction compares the
// mark that was read: marks never come back, as values may. A transaction without an
// answer may have taken effect, or may still do. So the row is read serially before
// the next try. If it has our own mark, the swap has won. If not, then the next try
// changes the mark, and the one before can no longer take effect.
func (s *Store) swap(ctx context.Context, name string, from, to []byte) (won bool, err error) {
	if to == nil {
		return false, fmt.Errorf("row %s: a row cannot be removed", name)
	}
	mark := make([]byte, 16)
	_, _ = rand.Read(mark) // never fails
	err = s.requests.retry(ctx, func() error {
		have, err := s.readSerial(ctx, name)
		if err != nil {
			return err
		}
		if won = bytes.Equal(have.writer, mark); won {
			return nil
		}
		if (have.value == nil) != (from == nil) || !bytes.Equal(have.value, from) {
			return nil // lost
		}
		won, err = s.transact(ctx, name, have, to, mark)
		if err == nil && !won {
			return errOvertaken
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("row %s: %w", name, err)
	}
	return won, nil
}

// errOvertaken: the row was changed between its reading and the transaction. It may have
// the same value again.
var errOvertaken = errors.New("another process changes the row at the same time")

// transact sends one lightweight transaction, once.
func (s *Store) transact(ctx context.Context, name string, have controlValue, to, mark []byte) (applied bool, err error) {
	err = s.requests.once(ctx, func(ctx context.Context, session *gocql.Session) error {
		q := session.Query(swapControl, to, mark, name, have.writer)
		if have.value == nil {
			q = session.Query(makeControl, name, to, mark)
		}
		applied, err = q.MapScanCASContext(ctx, map[string]any{})
		return err
	})
	return applied && err == nil, err
}

// Epochs implements store.Control. Epochs are never changed or removed, so those that
// were read once are remembered.
func (s *Store) Epochs(ctx context.Context) ([]store.Epoch, error) {
	s.mu.Lock()
	all := s.mu.epochs
	s.mu.Unlock()
	for {
		row, err := s.read(ctx, epochRow(uint32(len(all))))
		if err != nil {
			return nil, err
		}
		if row.value == nil {
			break
		}
		var e store.Epoch
		if err := json.Unmarshal(row.value, &e); err != nil {
			return nil, fmt.Errorf("%w: epoch %d: %w", store.ErrCorrupt, len(all), err)
		}
		all = append(all[:len(all):len(all)], e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(all) > len(s.mu.epochs) {
		s.mu.epochs = all
	}
	return append([]store.Epoch(nil), all...), nil
}

// AppendEpoch implements store.Control. When there are as many epochs as the number,
// the row of that number is the next one, and exactly one of its writers finds it
// missing.
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
	won, err := s.swap(ctx, epochRow(e.Number), nil, row)
	if err != nil {
		return err
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
	v, err := s.read(ctx, pointerRow)
	if err != nil || v.value == nil {
		return p, nil, err
	}
	if err := json.Unmarshal(v.value, &p); err != nil {
		return p, nil, fmt.Errorf("%w: pointer: %w", store.ErrCorrupt, err)
	}
	return p, v.value, nil
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
	won, err := s.swap(ctx, pointerRow, from, to)
	if err != nil {
		return err
	}
	if !won {
		return fmt.Errorf("%w: pointer's counter is no longer %d", store.ErrConflict, expect)
	}
	return nil
}

// Row implements store.Control.
func (s *Store) Row(ctx context.Context, name string) ([]byte, error) {
	v, err := s.read(ctx, rowPrefix+name)
	return v.value, err
}

// SwapRow implements store.Control.
func (s *Store) SwapRow(ctx context.Context, name string, from, to []byte) (won bool, err error) {
	if to == nil {
		to = []byte{}
	}
	return s.swap(ctx, rowPrefix+name, from, to)
}
