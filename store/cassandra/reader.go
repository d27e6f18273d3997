package cassandra

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"speedlayer/store"
)

// reader reads items one by one, each as it is at that moment. The order in which
// the caller asks (law 9) makes them consistent: pointer, commits, cells of the
// newest generation first, pointer again.
type reader struct{ s *Store }

// Read implements store.Store.
func (s *Store) Read(context.Context) (store.Reader, error) {
	if _, err := s.requests.session(); err != nil {
		return nil, err
	}
	return &reader{s}, nil
}

func (r *reader) Atomic() bool { return false }
func (r *reader) Close() error { return nil }

func (r *reader) Pointer(ctx context.Context) (store.Pointer, error) { return r.s.Pointer(ctx) }
func (r *reader) Epochs(ctx context.Context) ([]store.Epoch, error)  { return r.s.Epochs(ctx) }

func (r *reader) Commits(ctx context.Context) ([]store.ShardCommit, error) {
	q := statement{readShards, []any{commitKind}, r.s.opts.pageRows}
	all, err := allOf(ctx, r.s.requests, q, func(iter *gocql.Iter) (c store.ShardCommit, ok bool) {
		var epoch int64
		ok = iter.Scan(&epoch, &c.Shard.Partition, &c.Commit.Offset, &c.Commit.Record)
		c.Shard.Epoch = uint32(epoch)
		return c, ok
	})
	if err != nil {
		return nil, fmt.Errorf("commits: %w", err)
	}
	return all, nil // in order of their shards, as the table has them
}

// Scan implements store.Reader. A generation that was dropped or never created is
// known to have no cells. One that is dropped during the scan, or whose table is
// missing, is an error; then the caller's pointer has moved.
func (r *reader) Scan(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	rg.From = max(rg.From, 0)
	if rg.From >= rg.To || !rg.Prefix && !utf8.ValidString(rg.URL) {
		return nil
	}
	state, err := r.s.state(ctx, rg.Generation)
	if err != nil {
		return err
	}
	if state != stateCreated {
		return nil
	}
	var own error // returned by fn, not by Cassandra
	err = r.s.scan(ctx, rg, func(c *store.ScanCell) error {
		own = fn(c)
		return own
	})
	if own != nil || err == nil || ctx.Err() != nil {
		return err
	}
	if state, err2 := r.s.readState(ctx, rg.Generation); err2 == nil && state == stateDropped {
		return fmt.Errorf("%w: %d, while it was read", store.ErrDropped, rg.Generation)
	}
	if isNoTable(err) {
		return fmt.Errorf("%w: %d was created, but its table is gone: %w", store.ErrNoGeneration, rg.Generation, err)
	}
	return err
}

// scan merges the partitions that may have cells of the range by url and day. Without a
// prefix there is one for each day, with it as many as there are buckets.
func (s *Store) scan(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	days, err := s.daysOf(ctx, rg)
	if err != nil {
		return err
	}
	buckets := []int16{bucketOf(rg.URL, s.layout.Buckets)}
	if rg.Prefix {
		buckets = buckets[:0]
		for b := range s.layout.Buckets {
			buckets = append(buckets, int16(b))
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends requests for pages in advance
	all, err := s.openStreams(ctx, rg, days, buckets)
	if err != nil {
		return err
	}
	return drain(ctx, all, rg, fn)
}

// daysOf returns the days of the range that may have cells, in order.
func (s *Store) daysOf(ctx context.Context, rg store.Range) ([]int32, error) {
	q := statement{readDays, []any{int64(rg.Generation), date(rg.From / hoursADay), date((rg.To - 1) / hoursADay)}, s.opts.pageRows}
	days, err := allOf(ctx, s.requests, q, func(iter *gocql.Iter) (int32, bool) {
		var d date
		ok := iter.Scan(&d)
		return int32(d), ok
	})
	if err != nil {
		return nil, fmt.Errorf("days of generation %d: %w", rg.Generation, err)
	}
	slices.Sort(days)
	return days, nil
}

// scanRows bounds the rows that all streams of a scan hold at a time, as long as that
// leaves each a page of leastPage.
const (
	scanRows  = 200_000
	leastPage = 50
)

// openStreams reads the first page of each partition, and returns those that have rows.
func (s *Store) openStreams(ctx context.Context, rg store.Range, days []int32, buckets []int16) (streams, error) {
	if len(days) == 0 {
		return nil, nil
	}
	rows := min(s.opts.pageRows, max(leastPage, scanRows/(len(days)*len(buckets))))
	all := make(streams, 0, len(days)*len(buckets))
	for _, day := range days {
		for _, b := range buckets {
			all = append(all, s.newStream(rg, partition{b, day}, rows))
		}
	}
	first, within := errgroup.WithContext(ctx)
	first.SetLimit(s.opts.Parallel)
	for _, st := range all {
		first.Go(func() error { return st.first(within, ctx) })
	}
	if err := first.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(st *stream) bool { return len(st.rows) == 0 }), nil
}

// drain calls fn with the cells of all streams in order.
func drain(ctx context.Context, all streams, rg store.Range, fn func(c *store.ScanCell) error) error {
	heap.Init(&all)
	var c store.ScanCell
	for len(all) > 0 {
		more, err := all[0].emit(ctx, &rg, &c, fn)
		if err != nil {
			return err
		}
		if more {
			heap.Fix(&all, 0)
		} else {
			heap.Pop(&all)
		}
	}
	return nil
}

// streams is a heap by url and day. Each is at a row.
type streams []*stream

func (h streams) Len() int { return len(h) }
func (h streams) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.rows[0].url != b.rows[0].url {
		return a.rows[0].url < b.rows[0].url
	}
	return a.at.day < b.at.day
}
func (h streams) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface, which asks for it; streams only leave.
func (h *streams) Push(any) { panic(errors.ErrUnsupported) }

// Pop implements heap.Interface.
func (h *streams) Pop() any {
	n := len(*h) - 1
	st := (*h)[n]
	*h = (*h)[:n]
	return st
}
