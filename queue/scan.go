package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// scanTime is how long a scan waits for a record that must be there.
const scanTime = 10 * time.Second

// Scan calls fn with the records of a partition of the topic pageviews from an
// offset on, up to another, which the log must have reached. A record is fn's
// during the call only. An error of fn ends the scan. *ErrLogStart says that the
// log begins above from.
func (c *Client) Scan(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	r, err := c.NewReader(partition, from)
	if err != nil {
		return err
	}
	defer r.Close()
	var recs []*kgo.Record
	for r.next < to {
		if recs, err = r.pollSoon(ctx, recs[:0]); err != nil {
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

// pollSoon is Poll of records that are there already.
func (r *Reader) pollSoon(ctx context.Context, recs []*kgo.Record) ([]*kgo.Record, error) {
	soon, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	recs, err := r.Poll(soon, recs)
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: partition %d at %d", ErrUnavailable, r.partition, r.next)
	}
	return recs, err
}
