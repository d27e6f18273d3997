package topologies

import (
	"context"
	"slices"

	"speedlayer/store"
)

// reader reads what is there now.
type reader struct{ s *tornStore }

func (s *tornStore) Read(context.Context) (store.Reader, error) { return reader{s}, nil }

func (r reader) Atomic() bool                                         { return false }
func (r reader) Close() error                                         { return nil }
func (r reader) Pointer(context.Context) (store.Pointer, error)       { return r.s.pointer, nil }
func (r reader) Epochs(ctx context.Context) ([]store.Epoch, error)    { return r.s.Epochs(ctx) }
func (r reader) Commits(context.Context) ([]store.ShardCommit, error) { return nil, errNot }

func (r reader) Scan(_ context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	var found []cellID
	for id := range r.s.cells {
		if k := id.key; k.Generation == rg.Generation && k.View == rg.View && rg.HasURL([]byte(k.URL)) && rg.From <= k.Hour && k.Hour < rg.To {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b cellID) int {
		if c := a.key.Compare(b.key); c != 0 {
			return c
		}
		return a.shard.Compare(b.shard)
	})
	for _, id := range found {
		c := r.s.cells[id]
		if err := fn(&store.ScanCell{URL: []byte(id.key.URL), Hour: id.key.Hour, Shard: id.shard, Version: c.version, Value: c.bytes}); err != nil {
			return err
		}
	}
	return nil
}
