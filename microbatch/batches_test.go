package microbatch

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/view"
)

// steps is a store that notes how many records each commit covers.
type steps struct {
	store.Store
	largest, commits atomic.Int64
}

func (s *steps) Apply(ctx context.Context, b *store.Batch) error {
	before, _, err := s.Commit(ctx, b.Shard)
	if err != nil {
		return err
	}
	if n := b.Commit.Offset - before.Offset; n > 0 {
		s.commits.Add(1)
		s.largest.Store(max(s.largest.Load(), n))
	}
	return s.Store.Apply(ctx, b)
}

// No commit covers more than MaxBatch records, however many are in the log.
func TestBatchesHaveABound(t *testing.T) {
	client, _ := embeddedQueue(t, 1)
	topic, err := client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	messages := make([]queue.Message, 100)
	for i := range messages {
		messages[i] = queue.Message{Person: []byte("ann"), Value: fmt.Appendf(nil, `{"person":"ann","url":"https://a.com/%d","ts":%d}`, i, time.Now().UnixMilli())}
	}
	if _, err := client.AppendSync(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
	operator := func() Operator { return view.NewPageviews(view.Limits{}) }
	for _, most := range []int{1, 7, 100} {
		for name, run := range map[string]func(*steps, store.Epoch) error{
			"runner": func(st *steps, e store.Epoch) error {
				ctx, cancel := context.WithCancel(t.Context())
				p := NewProgress(e.Starts)
				go func() { // ends with the run
					defer cancel()
					_ = p.Wait(ctx, []queue.Position{{Partition: 0, Offset: 99}})
				}()
				return NewRunner(RunnerConfig{Store: st, Queue: client, Epoch: e, Progress: p, Topic: queue.TopicPageviews,
					Operator: operator, MaxBatch: most, Logger: slog.New(slog.DiscardHandler)}).Run(ctx, time.Minute)
			},
			"ranges": func(st *steps, e store.Epoch) error {
				p, err := NewPartition(PartitionConfig{Store: st, Queue: client, Epoch: e, Topic: queue.TopicPageviews,
					Operator: operator, MaxBatch: most})
				if err != nil {
					return err
				}
				defer p.Close()
				return p.Run(t.Context(), Range{From: 0, Until: 100})
			},
		} {
			st := &steps{Store: memStore(t)}
			e, _, err := catalog.EnsureEpoch(t.Context(), st, topic, view.Defaults())
			if err != nil {
				t.Fatal(err)
			}
			if err := run(st, e); err != nil {
				t.Errorf("%s, at most %d: %v", name, most, err)
			}
			c, _, err := st.Commit(t.Context(), store.Shard{})
			if err != nil || c.Offset != 100 || st.largest.Load() > int64(most) || st.commits.Load() < int64(100/most) {
				t.Errorf("%s, at most %d: %d commits of at most %d records, up to offset %d, %v", name, most, st.commits.Load(), st.largest.Load(), c.Offset, err)
			}
		}
	}
}
