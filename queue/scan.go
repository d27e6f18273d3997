package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// How long a scan waits while the position does not move: for what must be there
// already, and for the end of a transaction. Java's producers end theirs after
// 60 s at the latest, unless they are told otherwise.
const (
	scanTime = 10 * time.Second
	heldTime = 75 * time.Second
)

// Scan calls fn with the records of a partition of the client's topic from an
// offset on, up to another, which the log must have reached. A record is fn's
// during the call only. An error of fn ends the scan. *ErrLogStart means that the
// log begins above from, *ErrHeldBack that an open transaction held it back for
// longer than a scan waits.
func (c *Client) Scan(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	return c.scan(ctx, c.cfg.Topic, partition, from, to, fn)
}

// ReadAll is Scan. When it returns nil, the log has no other records in
// [from, to): the offsets between are those of aborted records and of ends of
// transactions.
func (c *Client) ReadAll(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	return c.scan(ctx, c.cfg.Topic, partition, from, to, fn)
}

func (c *Client) scan(ctx context.Context, topic string, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	r, err := c.newReader(topic, partition, from)
	if err != nil {
		return err
	}
	defer r.Close()
	var recs []*kgo.Record
	for r.next < to {
		if recs, err = r.PollSoon(ctx, recs[:0], to); err != nil {
			return err
		}
		for _, rec := range recs {
			if rec.Offset >= to {
				break
			}
			if err := fn(rec); err != nil {
				r.Recycle(recs)
				return err
			}
		}
		r.Recycle(recs)
	}
	return nil
}

// PollSoon is Poll of what is there already, below to. If it does not come within
// a bounded time, the error reports why.
func (r *Reader) PollSoon(ctx context.Context, recs []*kgo.Record, to int64) ([]*kgo.Record, error) {
	begun := time.Now()
	for {
		soon, cancel := context.WithTimeout(ctx, scanTime)
		polled, err := r.Poll(soon, recs)
		late := soon.Err() != nil
		cancel()
		switch {
		case err == nil || !late || ctx.Err() != nil:
			return polled, err
		case r.stable > r.next || r.stable < 0: // it is there, and does not come
			return polled, fmt.Errorf("%w: topic %s, partition %d: nothing came from offset %d on within %v",
				ErrUnavailable, r.topic, r.partition, r.next, scanTime)
		case time.Since(begun) >= heldTime:
			return polled, &ErrHeldBack{Topic: r.topic, Partition: r.partition, Stable: r.stable, Wanted: to}
		}
	}
}
