package batch

import (
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

var errBroken = errors.New("broken")

// broken fails at one of its calls, before or after it was done, and at all
// later ones.
type broken struct {
	store.Store
	log    [2][]record.Marker
	left   int  // calls until it breaks
	silent bool // the call at which it breaks is done all the same
}

func (b *broken) call(do func() error) error {
	b.left--
	if b.left > 0 || b.left == 0 && b.silent {
		if err := do(); err != nil {
			return err
		}
	}
	if b.left <= 0 {
		return errBroken
	}
	return nil
}

func (b *broken) SwapPointer(ctx context.Context, expect uint64, p store.Pointer) error {
	return b.call(func() error { return b.Store.SwapPointer(ctx, expect, p) })
}

func (b *broken) CreateGeneration(ctx context.Context, g uint32) error {
	return b.call(func() error { return b.Store.CreateGeneration(ctx, g) })
}

func (b *broken) AppendMarker(ctx context.Context, partition int32, value []byte) error {
	return b.call(func() error {
		m, err := record.ParseMarker(value, view.CheckSettings)
		if err != nil {
			return err
		}
		// No processor may meet a marker whose table is not there.
		key := store.Key{Generation: m.Generation, View: 1, URL: "a.com"}
		if err := b.Cells(ctx, store.Shard{}, []store.Key{key}, nil); err != nil {
			return err
		}
		b.log[partition] = append(b.log[partition], m)
		return nil
	})
}

func fresh(t *testing.T) *pebble.Store {
	t.Helper()
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	topic := queue.TopicInfo{ID: "a", Partitions: 2, Starts: []int64{0, 0}, Ends: []int64{0, 0}}
	if _, _, err := catalog.EnsureEpoch(t.Context(), st, topic, view.Defaults()); err != nil {
		t.Fatal(err)
	}
	return st
}
