package hbase

import (
	"context"
	"fmt"
	"time"

	"github.com/tsuna/gohbase/hrpc"
	"github.com/tsuna/gohbase/pb"
)

// many sends the actions of one table, region by region, until all are answered.
// fn gets the cells of each get's answer, in no order, each get once; nil for
// puts. A put that is answered is durable.
func (l *link) many(ctx context.Context, table string, actions []action, fn func(i int, cells []byte) error) error {
	left := make([]int, len(actions)) // of actions that are not answered, their places
	for i := range left {
		left[i] = i
	}
	var broken error // of fn: not tried again
	err := l.patiently(ctx, func() error {
		for len(left) > 0 {
			part := actions
			if n := min(len(left), l.pace.rows()); n < len(actions) {
				part = make([]action, n)
				for i, at := range left[:n] {
					part[i] = actions[at]
				}
			}
			began := time.Now()
			answered, failed, at, err := l.region(ctx, table, part, func(i int, cells []byte) error {
				if fn != nil && broken == nil {
					broken = fn(left[i], cells)
				}
				return broken
			})
			if broken != nil {
				return nil
			}
			l.pace.took(len(part), time.Since(began))
			if err != nil {
				return err
			}
			rest := make([]int, 0, len(left))
			for i, at := range left {
				if i >= len(answered) || !answered[i] {
					rest = append(rest, at)
				}
			}
			left = rest
			if failed != nil {
				return l.find(ctx, table, part[at].row, failed)
			}
		}
		return nil
	})
	if broken != nil {
		return broken
	}
	if err != nil {
		return fmt.Errorf("%d of %d rows of %s: %w", len(left), len(actions), table, err)
	}
	return nil
}

// region sends those of the actions that lie in the region of the first. It
// says which were answered, and, if some ended in an exception, one of those:
// which, and where.
func (l *link) region(ctx context.Context, table string, actions []action, fn func(i int, cells []byte) error) (answered []bool, failed error, at int, err error) {
	var m *multi
	answer, err := l.once(ctx, func(ctx context.Context) hrpc.Call {
		m = newMulti(ctx, table, actions)
		return m
	})
	if err != nil {
		return nil, nil, 0, err
	}
	answered = make([]bool, len(actions))
	err = m.results(answer, func(i int, cells []byte, err error) error {
		if err != nil {
			failed, at = err, i
			return nil
		}
		answered[i] = true
		return fn(i, cells)
	})
	return answered, failed, at, err
}

// find makes gohbase look for a row's region again, when a multi said that it is
// not where it was thought to be. gohbase sees exceptions of whole requests
// only, so it is asked for something that ends in one. The answer does not
// matter; failed is returned, for the caller to try again.
func (l *link) find(ctx context.Context, table string, row []byte, failed error) error {
	if permanent(failed) {
		return failed
	}
	if _, err := l.get(ctx, table, string(row), "", ""); permanent(err) {
		return err
	}
	return failed
}

// get reads one column's value and timestamp, or of "" the first; nil when it is
// not there.
func (l *link) get(ctx context.Context, table, row, family, column string) (*hrpc.Cell, error) {
	answer, err := l.once(ctx, func(ctx context.Context) hrpc.Call {
		g, err := hrpc.NewGetStr(ctx, table, row, hrpc.SkipBatch())
		if err != nil {
			panic(err) // of its options, which are constant
		}
		if family != "" {
			_ = hrpc.Families(map[string][]string{family: {column}})(g)
		} else {
			g.ExistsOnly()
		}
		return g
	})
	if err != nil {
		return nil, err
	}
	r := hrpc.ToLocalResult(answer.(*pb.GetResponse).Result)
	if len(r.Cells) == 0 {
		return nil, nil
	}
	return r.Cells[0], nil
}

// family reads all columns of a row's family, in their order, with patience.
func (l *link) family(ctx context.Context, table, row, family string) ([]*hrpc.Cell, error) {
	answer, err := l.call(ctx, func(ctx context.Context) hrpc.Call {
		g, err := hrpc.NewGetStr(ctx, table, row, hrpc.SkipBatch(), hrpc.Families(map[string][]string{family: nil}))
		if err != nil {
			panic(err) // of its options, which are constant
		}
		return g
	})
	if err != nil {
		return nil, err
	}
	return hrpc.ToLocalResult(answer.(*pb.GetResponse).Result).Cells, nil
}

// value is get with patience.
func (l *link) value(ctx context.Context, table, row, family, column string) (c *hrpc.Cell, err error) {
	err = l.patiently(ctx, func() error {
		c, err = l.get(ctx, table, row, family, column)
		return err
	})
	return c, err
}

// columns is what a row of the control table is put with.
type columns map[string][]byte

// put writes a row; serverTime is the region server's clock.
func (l *link) put(ctx context.Context, table, row, family string, c columns, timestamp uint64) error {
	for _, v := range c {
		if err := checkSize([]byte(row), v); err != nil {
			return err
		}
	}
	_, err := l.call(ctx, func(ctx context.Context) hrpc.Call { return newPut(ctx, table, row, family, c, timestamp) })
	return err
}

func newPut(ctx context.Context, table, row, family string, c columns, timestamp uint64) *hrpc.Mutate {
	options := []func(hrpc.Call) error{hrpc.SkipBatch()}
	if timestamp != serverTime {
		options = append(options, hrpc.TimestampUint64(timestamp))
	}
	m, err := hrpc.NewPutStr(ctx, table, row, map[string]map[string][]byte{family: c}, options...)
	if err != nil {
		panic(err) // of its options, which are constant
	}
	return m
}

// serverTime as a timestamp stands for the region server's clock.
const serverTime = hrpc.MaxTimestamp

// checkAndPut writes a row if a column of it has the value expected; nil: if it
// is not there. It has the server's time, and is sent once.
func (l *link) checkAndPut(ctx context.Context, table, row, family, column string, expect []byte, c columns) (bool, error) {
	answer, err := l.once(ctx, func(ctx context.Context) hrpc.Call {
		m, err := hrpc.NewCheckAndPut(newPut(ctx, table, row, family, c, serverTime), family, column, expect)
		if err != nil {
			panic(err) // of a comparator, which is constant
		}
		return m
	})
	if err != nil {
		return false, err
	}
	r, ok := answer.(*pb.MutateResponse)
	if !ok || r.Processed == nil {
		return false, fmt.Errorf("hbase: answer to a check-and-put is %T without a result", answer)
	}
	return r.GetProcessed(), nil
}

// deleteRow deletes a whole row. Cells of views are never deleted, for a delete
// hides puts of lower versions that come later; chunks below a snapshot's name
// are, for nobody reads them.
func (l *link) deleteRow(ctx context.Context, table, row string) error {
	_, err := l.call(ctx, func(ctx context.Context) hrpc.Call {
		m, err := hrpc.NewDelStr(ctx, table, row, nil, hrpc.SkipBatch())
		if err != nil {
			panic(err) // of its options, which are constant
		}
		return m
	})
	return err
}
