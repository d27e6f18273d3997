package queue

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// EdgeLog describes topic equivs.
type EdgeLog struct {
	ID         string // hex; another topic of the same name has another
	Start, End int64  // first offset still there, and where the committed part ends
}

// EdgeLog asks the broker.
func (c *Client) EdgeLog(ctx context.Context) (EdgeLog, error) {
	details, err := c.admin.ListTopics(ctx, TopicEquivs)
	if err != nil {
		return EdgeLog{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	d, ok := details[TopicEquivs]
	if !ok || d.Err != nil {
		return EdgeLog{}, fmt.Errorf("%w: topic %s: %w", ErrUnavailable, TopicEquivs, d.Err)
	}
	l := EdgeLog{ID: hex.EncodeToString(d.ID[:])}
	if l.Start, err = c.edgeOffset(ctx, c.admin.ListStartOffsets); err != nil {
		return EdgeLog{}, err
	}
	l.End, err = c.edgeOffset(ctx, c.admin.ListCommittedOffsets)
	return l, err
}

// edgeOffset is one edge of the topic's only partition, as list has it.
func (c *Client) edgeOffset(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (int64, error) {
	all, err := list(ctx, TopicEquivs)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	o, ok := all.Lookup(TopicEquivs, 0)
	if !ok || o.Err != nil {
		return 0, fmt.Errorf("%w: topic %s: %w", ErrUnavailable, TopicEquivs, o.Err)
	}
	return o.Offset, nil
}

// ReadEdges calls fn with the records of topic equivs in [from, to). They are
// valid during the call. When it returns nil, there are no others.
func (c *Client) ReadEdges(ctx context.Context, from, to int64, fn func(*kgo.Record) error) error {
	return c.scan(ctx, TopicEquivs, 0, from, to, fn)
}
