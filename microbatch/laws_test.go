package microbatch

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/view"
)

// What is covered never goes back, whoever is behind.
func TestProgressNeverGoesBack(t *testing.T) {
	p := NewProgress([]int64{5, 0})
	for _, step := range []struct{ set, want int64 }{{7, 7}, {6, 7}, {7, 7}, {9, 9}, {0, 9}} {
		changed := p.Changed()
		before := p.Committed()[0]
		p.Set(0, step.set)
		if got := p.Committed()[0]; got != step.want {
			t.Fatalf("set to %d: it is %d, want %d", step.set, got, step.want)
		}
		select {
		case <-changed:
			if before == step.want {
				t.Errorf("set to %d: a change is told, there was none", step.set)
			}
		default:
			if before != step.want {
				t.Errorf("set to %d: no change is told", step.set)
			}
		}
	}
	if err := p.Wait(t.Context(), []queue.Position{{Partition: 0, Offset: 8}}); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ended, []queue.Position{{Partition: 0, Offset: 9}}); err == nil {
		t.Error("offset 9 is said to be in, the commit at 9 does not cover it")
	}
}

// closing is a store that is closed under a processor when it reads cells.
type closing struct {
	store.Store
	close func()
}

func (s *closing) Cells(context.Context, store.Shard, []store.Key, func(int, int64, []byte) error) error {
	s.close()
	return store.ErrClosed
}

// A batch that failed half-way has moved state on, without its cells: whatever
// the runner does on its way out, it must not commit it.
func TestFailedBatchIsNotCommitted(t *testing.T) {
	client, _ := embeddedQueue(t, 8)
	topic, err := client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st := memStore(t)
	epoch, _, err := catalog.EnsureEpoch(t.Context(), st, topic, view.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, st store.Store, p *Progress) {
		t.Helper()
		r := NewRunner(RunnerConfig{Store: st, Queue: client, Epoch: epoch, Progress: p, Topic: queue.TopicPageviews,
			Operator: func() Operator { return view.NewPageviews(view.Limits{}) }, Logger: slog.New(slog.DiscardHandler)})
		if err := r.Run(ctx, time.Minute); err != nil {
			t.Error(err)
		}
	}
	now := time.Now().UnixMilli()
	send := func() queue.Position {
		t.Helper()
		at, err := client.AppendSync(t.Context(), []queue.Message{{Person: []byte("ann"),
			Value: fmt.Appendf(nil, `{"person":"ann","url":"https://a.com/","ts":%d}`, now)}})
		if err != nil {
			t.Fatal(err)
		}
		return at[0]
	}
	runUntil := func(at queue.Position) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := NewProgress(epoch.Starts)
		go func() { // ends with the run
			defer cancel()
			if err := p.Wait(ctx, []queue.Position{at}); err != nil {
				t.Error(err)
			}
		}()
		run(ctx, st, p)
	}

	first := send()
	shard := store.Shard{Partition: first.Partition}
	runUntil(first)
	second := send() // its cells must be read
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run(ctx, &closing{st, cancel}, NewProgress(epoch.Starts))
	if ctx.Err() == nil {
		t.Fatal("no cell was read")
	}
	if c, _, err := st.Commit(t.Context(), shard); c.Offset != second.Offset || err != nil {
		t.Fatalf("the commit is at %d (%v), but record %d failed", c.Offset, err, second.Offset)
	}
	runUntil(second)
	var views uint64
	key := store.Key{View: view.PageviewsView, URL: "a.com/", Hour: int32(now / 3600000)}
	err = st.Cells(t.Context(), shard, []store.Key{key}, func(_ int, _ int64, value []byte) error {
		views, _ = binary.Uvarint(value)
		return nil
	})
	if err != nil || views != 2 {
		t.Errorf("%d pageviews in the store (%v), want 2", views, err)
	}
}
