package client

import (
	"context"
	"fmt"
	"time"

	"github.com/tsuna/gohbase/hrpc"
	"github.com/tsuna/gohbase/pb"
)

// MaxRequestRows bounds the rows of one request: what a region server does at
// once, and what is sent again when an answer is lost.
const MaxRequestRows = 5000

// Many sends the actions of one table until all are answered. fn receives the
// cells of each get's answer, in no particular order, each get once, and nil for
// puts. A put that was answered is durable. fn may be nil; if it fails, Many
// returns its error. The actions must not be changed or reused if
// [Client.Abandoned] has grown meanwhile.
//
// One request can reach one region only, and nobody knows the regions before
// gohbase sends: a table may be split at any moment. So the work is a loop with
// one invariant: left lists the actions without an answer. Each round
//
//  1. offers the first of them, as many as the batch size allows, to a request,
//  2. which takes those that are in the region of the first,
//  3. and removes from left what the region answered.
//
// The first action is always in its own region, so every round with an answer
// makes left shorter. A round without one (a timeout, an exception) changes
// nothing, and Retry repeats it until its deadline.
//
// The obvious way, one put per row through gohbase's queue, spends a goroutine
// and a channel on each row, and reached a tenth of the rate.
func (l *Client) Many(ctx context.Context, table string, actions []Action, fn func(i int, cells []byte) error) error {
	left := make([]int, len(actions)) // indexes of the actions without an answer
	for i := range left {
		left[i] = i
	}
	var broken error // an error of fn, which another try does not cure
	err := l.Retry(ctx, func() (err error) {
		for len(left) > 0 && broken == nil && err == nil {
			left, broken, err = l.round(ctx, table, actions, left, fn)
		}
		return err
	})
	if broken != nil {
		return broken
	}
	if err != nil {
		return fmt.Errorf("%d of %d rows of %s: %w", len(left), len(actions), table, err)
	}
	return nil
}

// round offers the first actions of left to one region. It returns what is left
// after that, the error of fn, and the error of the request.
func (l *Client) round(ctx context.Context, table string, actions []Action, left []int, fn func(i int, cells []byte) error) (rest []int, broken, err error) {
	offered := actions
	if n := min(len(left), l.batch.limit()); n < len(actions) {
		offered = make([]Action, n)
		for i, at := range left[:n] {
			offered[i] = actions[at]
		}
	}
	began := time.Now()
	answered, failed, at, err := l.region(ctx, table, offered, func(i int, cells []byte) error {
		if fn != nil && broken == nil {
			broken = fn(left[i], cells)
		}
		return broken
	})
	if broken != nil {
		return left, broken, nil
	}
	l.batch.observe(len(offered), time.Since(began))
	if err != nil {
		return left, nil, err
	}
	rest = make([]int, 0, len(left))
	for i, at := range left {
		if i >= len(answered) || !answered[i] {
			rest = append(rest, at)
		}
	}
	if failed != nil {
		return rest, nil, l.find(ctx, table, offered[at].Row, failed)
	}
	return rest, nil, nil
}

// region sends the actions that are in the region of the first. It returns which
// were answered and, if some ended in an exception, one exception and the index
// of its action.
func (l *Client) region(ctx context.Context, table string, actions []Action, fn func(i int, cells []byte) error) (answered []bool, failed error, at int, err error) {
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

// find makes gohbase look up a row's region again, after an exception within a
// multi request: the region has moved, was split, or its server is stopping.
//
// gohbase caches where regions are, and drops an entry only when a whole request
// ends in an exception. The exceptions of a multi request are inside its answer,
// which this package reads and gohbase does not. Without find, the next round
// would go to the same server for ever. So find sends a get of the same row
// alone: it fails for the same reason, but as a whole request, and gohbase looks
// the region up. The get's own answer does not matter. find returns failed, so
// that the caller tries again, or an error that another try cannot cure.
func (l *Client) find(ctx context.Context, table string, row []byte, failed error) error {
	if permanent(failed) {
		return failed
	}
	if _, err := l.Get(ctx, table, string(row), "", ""); permanent(err) {
		return err
	}
	return failed
}

// Get reads the value and timestamp of one column, once. It returns nil if the
// column is not there. With family "" it only tells whether the row exists.
func (l *Client) Get(ctx context.Context, table, row, family, column string) (*hrpc.Cell, error) {
	answer, err := l.once(ctx, func(ctx context.Context) hrpc.Call {
		g, err := hrpc.NewGetStr(ctx, table, row, hrpc.SkipBatch())
		if err != nil {
			panic(err) // the options are constants
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

// Family reads all columns of a row's family, in their order, with retries.
func (l *Client) Family(ctx context.Context, table, row, family string) ([]*hrpc.Cell, error) {
	answer, err := l.call(ctx, func(ctx context.Context) hrpc.Call {
		g, err := hrpc.NewGetStr(ctx, table, row, hrpc.SkipBatch(), hrpc.Families(map[string][]string{family: nil}))
		if err != nil {
			panic(err) // the options are constants
		}
		return g
	})
	if err != nil {
		return nil, err
	}
	return hrpc.ToLocalResult(answer.(*pb.GetResponse).Result).Cells, nil
}

// Value is Get with retries.
func (l *Client) Value(ctx context.Context, table, row, family, column string) (c *hrpc.Cell, err error) {
	err = l.Retry(ctx, func() error {
		c, err = l.Get(ctx, table, row, family, column)
		return err
	})
	return c, err
}

// columns is what a row of the control table is put with.
type Columns map[string][]byte

// Put writes a row with a timestamp; [ServerTime] is the region server's clock.
func (l *Client) Put(ctx context.Context, table, row, family string, c Columns, timestamp uint64) error {
	for _, v := range c {
		if err := CheckSize([]byte(row), v); err != nil {
			return err
		}
	}
	_, err := l.call(ctx, func(ctx context.Context) hrpc.Call { return newPut(ctx, table, row, family, c, timestamp) })
	return err
}

func newPut(ctx context.Context, table, row, family string, c Columns, timestamp uint64) *hrpc.Mutate {
	options := []func(hrpc.Call) error{hrpc.SkipBatch()}
	if timestamp != ServerTime {
		options = append(options, hrpc.TimestampUint64(timestamp))
	}
	m, err := hrpc.NewPutStr(ctx, table, row, map[string]map[string][]byte{family: c}, options...)
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}

// ServerTime, as a timestamp, stands for the region server's clock.
const ServerTime = hrpc.MaxTimestamp

// CheckAndPut writes a row if a column has the expected value, or if the column is
// not there and expect is nil. The row has the server's time. The request is sent
// once; after an error its outcome is unknown.
func (l *Client) CheckAndPut(ctx context.Context, table, row, family, column string, expect []byte, c Columns) (bool, error) {
	answer, err := l.once(ctx, func(ctx context.Context) hrpc.Call {
		m, err := hrpc.NewCheckAndPut(newPut(ctx, table, row, family, c, ServerTime), family, column, expect)
		if err != nil {
			panic(err) // the comparator is a constant
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

// DeleteRow deletes a whole row, with retries. A delete hides later puts of lower
// timestamps, so rows whose timestamps are versions must not be deleted while
// anybody may still put them.
func (l *Client) DeleteRow(ctx context.Context, table, row string) error {
	_, err := l.call(ctx, func(ctx context.Context) hrpc.Call {
		m, err := hrpc.NewDelStr(ctx, table, row, nil, hrpc.SkipBatch())
		if err != nil {
			panic(err) // the options are constants
		}
		return m
	})
	return err
}
