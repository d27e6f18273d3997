package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"speedlayer/internal/objects"
	"speedlayer/store"
)

// Rows calls fn with the complete rows of a shard whose offsets are in [from, to), in
// log order. It is much slower than Scan. A row is valid only during the call.
func (s *Snapshot) Rows(ctx context.Context, shard store.Shard, from, to int64, fn func(r *Row) error) error {
	return s.through(ctx, shard, from, to, func(f File, from int64) (int64, error) {
		err := eachRow(ctx, s.objects, f, func(r *Row) error {
			if r.Offset < from || r.Offset >= to {
				return nil
			}
			from = r.Offset + 1
			return fn(r)
		})
		return from, err
	})
}

// eachRow reads a file row by row.
func eachRow[T any](ctx context.Context, o objects.Store, f File, fn func(*T) error) (err error) {
	return eachRows(ctx, o, f, func(rows []T) error {
		for i := range rows {
			if err := fn(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachRows reads a file in batches of rows. They are valid only during the call.
func eachRows[T any](ctx context.Context, o objects.Store, f File, fn func([]T) error) (err error) {
	file, err := openData(ctx, o, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := parquet.NewGenericReader[T](file.File)
	defer func() { err = errors.Join(err, r.Close()) }()
	rows := make([]T, batchRows)
	for {
		clear(rows) // otherwise a null field keeps its previous value
		n, err := r.Read(rows)
		if n > 0 {
			if err := fn(rows[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
}
