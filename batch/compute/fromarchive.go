package compute

import (
	"context"

	"speedlayer/batch/archive"
	"speedlayer/event"
	"speedlayer/store"
)

// FromArchive is the log in an archive.
func FromArchive(a *archive.Archive) Log { return archived{a} }

type archived struct{ a *archive.Archive }

// Start implements Log. A shard that is not in the archive begins at 0.
func (l archived) Start(ctx context.Context, s store.Shard) (int64, error) {
	snap, err := l.a.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	for i := range snap.Shards {
		if snap.Shards[i].Shard() == s {
			return snap.Shards[i].Start, nil
		}
	}
	return 0, nil
}

// Scan implements Log.
func (l archived) Scan(ctx context.Context, s store.Shard, from, to int64, fn func(*Batch) error) error {
	snap, err := l.a.Snapshot(ctx)
	if err != nil {
		return err
	}
	return snap.Scan(ctx, s, from, to, archive.Events|archive.Offset, func(c *archive.Columns) error {
		text := func(t *archive.Text) Text { return Text{Index: t.Index, Texts: t} }
		return fn(&Batch{N: c.N, Offset: c.Offset, Kind: c.Kind, TS: c.TS, Rerouted: c.Rerouted,
			Page: text(&c.Page), Person: text(&c.Person), Nonce: text(&c.Nonce)})
	})
}

// EdgesBefore reads the edges of an archive before a position, in log order.
func EdgesBefore(ctx context.Context, a *archive.Archive, to archive.EdgePosition) (edges []event.Edge, err error) {
	snap, err := a.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	err = snap.Edges(ctx, to, func(_ archive.EdgePosition, e event.Edge) error {
		edges = append(edges, e)
		return nil
	})
	return edges, err
}
