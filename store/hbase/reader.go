package hbase

import (
	"context"
	"fmt"
	"math"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// reader reads items one by one, each as it is at that moment. The order in which
// the caller asks (law 9) makes them consistent: pointer, commits, cells of the
// newest generation first, pointer again.
type reader struct{ s *Store }

// Read implements store.Store.
func (s *Store) Read(context.Context) (store.Reader, error) {
	if s.client.Closed() {
		return nil, store.ErrClosed
	}
	return &reader{s}, nil
}

func (r *reader) Atomic() bool { return false }
func (r *reader) Close() error { return nil }

func (r *reader) Pointer(ctx context.Context) (store.Pointer, error) { return r.s.Pointer(ctx) }
func (r *reader) Epochs(ctx context.Context) ([]store.Epoch, error)  { return r.s.Epochs(ctx) }

func (r *reader) Commits(ctx context.Context) (all []store.ShardCommit, err error) {
	err = r.s.rows(ctx, commitPrefix, func(kv *client.KeyValue) error {
		id, err := shardOf(commitPrefix, string(kv.Row))
		if err != nil {
			return err
		}
		if kv.Timestamp > math.MaxInt64 {
			return fmt.Errorf("%w: commit of %v at %d", store.ErrCorrupt, id, kv.Timestamp)
		}
		all = append(all, store.ShardCommit{Shard: id, Commit: store.Commit{Offset: int64(kv.Timestamp), Record: append([]byte(nil), kv.Value...)}})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("commits: %w", err)
	}
	return all, nil
}

// Scan implements store.Reader. A generation that was dropped or never created is
// known to have no cells. One that is dropped during the scan, or whose table is
// missing, is an error; then the caller's pointer has moved.
func (r *reader) Scan(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	rg.From = max(rg.From, 0)
	if rg.From >= rg.To {
		return nil
	}
	state, err := r.s.state(ctx, rg.Generation)
	if err != nil {
		return err
	}
	if state != stateCreated {
		return nil
	}
	var own error // returned by fn, not by HBase
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
	if client.IsNoTable(err) {
		return fmt.Errorf("%w: %d was created, but its table is gone: %w", store.ErrNoGeneration, rg.Generation, err)
	}
	return err
}

// scan merges the rows of the buckets by url. One bucket contains a given url; each
// may contain some urls with a prefix.
func (s *Store) scan(ctx context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	if !rg.Prefix {
		return s.drain(ctx, []*stream{s.newStream(rg, bucketOf(rg.URL))}, rg, fn)
	}
	var all []*stream
	for b := range buckets {
		all = append(all, s.newStream(rg, b))
	}
	return s.drain(ctx, all, rg, fn)
}

func (s *Store) drain(ctx context.Context, all []*stream, rg store.Range, fn func(c *store.ScanCell) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends requests for pages in advance
	for _, st := range all {
		st.ask(ctx)
	}
	h := all[:0]
	for _, st := range all {
		more, err := st.next(ctx)
		if err != nil {
			return err
		}
		if more {
			h = append(h, st)
		}
	}
	var c store.ScanCell
	for len(h) > 0 {
		first := 0
		for i := 1; i < len(h); i++ {
			if h[i].before(h[first]) {
				first = i
			}
		}
		if err := h[first].emit(rg, &c, fn); err != nil {
			return err
		}
		more, err := h[first].next(ctx)
		if err != nil {
			return err
		}
		if !more {
			h = append(h[:first], h[first+1:]...)
		}
	}
	return nil
}
