package queue

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
)

// AppendEdge appends an equiv edge and returns when it is durable. Its key is
// the pair, the smaller identifier first.
func (c *Client) AppendEdge(ctx context.Context, e event.Edge) error {
	a, b := e.Pair()
	r := &kgo.Record{Topic: TopicEquivs, Key: []byte(a + "\x00" + b), Value: e.AppendJSON(nil)}
	if err := c.kafka.ProduceSync(ctx, r).FirstErr(); err != nil {
		return appendError(err)
	}
	return nil
}

// FollowEdges calls fn with every edge from the beginning, for ever, until ctx
// ends. caughtUp is called once, when all that were committed at the start have
// been seen. A record that is not an edge is skipped, and logged.
func (c *Client) FollowEdges(ctx context.Context, fn func(offset int64, e event.Edge), caughtUp func()) error {
	start, err := c.edgeOffset(ctx, c.admin.ListStartOffsets)
	if err != nil {
		return err
	}
	end, err := c.edgeOffset(ctx, c.admin.ListCommittedOffsets)
	if err != nil {
		return err
	}
	r, err := c.newReader(TopicEquivs, 0, start)
	if err != nil {
		return err
	}
	defer r.Close()
	behind := start < end
	if !behind {
		caughtUp()
	}
	var recs []*kgo.Record
	for {
		if recs, err = r.Poll(ctx, recs[:0]); err != nil {
			return err
		}
		for _, rec := range recs {
			e, err := event.DecodeEdge(rec.Value)
			if err != nil {
				c.cfg.Logger.Warn("record in topic equivs is not an edge", "offset", rec.Offset, "err", err)
			} else {
				fn(rec.Offset, e)
			}
		}
		if behind && r.Position() >= end {
			behind = false
			caughtUp()
		}
		r.Recycle(recs)
	}
}
