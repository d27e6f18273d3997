package microbatch

import (
	"context"

	"speedlayer/catalog"
	"speedlayer/store"
)

// fencedStore is a store in which a processor's writes stand behind a fence.
// Snapshots need none: of a shard that has ended nobody reads them.
type fencedStore struct {
	store.Store
	fence *catalog.Fence
}

// Apply implements store.Writer.
func (s *fencedStore) Apply(ctx context.Context, b *store.Batch) error {
	if err := s.fence.Allow(ctx); err != nil {
		return err
	}
	return s.Store.Apply(ctx, b)
}

// fencedSink is the same for records that leave the partition.
type fencedSink struct {
	sink  Sink
	fence *catalog.Fence
}

// Send implements Sink.
func (s *fencedSink) Send(ctx context.Context, out []Outgoing) error {
	if err := s.fence.Allow(ctx); err != nil {
		return err
	}
	return s.sink.Send(ctx, out)
}
