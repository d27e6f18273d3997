package days

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/verify/oracle"
)

// archive is all that the log ever held: topics end, what they said stays.
type archive struct {
	topics map[string][][]oracle.Record // by topic id, then partition
}

// pull reads what is new.
func (a *archive) pull(ctx context.Context, q *queue.Client) error {
	info, err := q.Info(ctx)
	if err != nil {
		return err
	}
	if a.topics == nil {
		a.topics = map[string][][]oracle.Record{}
	}
	parts := a.topics[info.ID]
	for len(parts) < int(info.Partitions) {
		parts = append(parts, nil)
	}
	a.topics[info.ID] = parts
	for part, end := range info.Ends {
		var from int64
		if n := len(parts[part]); n > 0 {
			from = parts[part][n-1].Offset + 1
		}
		err := q.ReadAll(ctx, int32(part), from, end, func(r *kgo.Record) error {
			o := oracle.Record{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(),
				Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)}
			for _, h := range r.Headers {
				o.Headers = append(o.Headers, oracle.Header{Name: h.Key, Value: append([]byte(nil), h.Value...)})
			}
			parts[part] = append(parts[part], o)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
