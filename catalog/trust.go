package catalog

import (
	"context"
	"crypto/rand"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// EnsureTrust returns the key that the processes of a store share, and makes it if
// there is none yet. What topic has by then was written without one. Any number of
// processes may call it at once.
func EnsureTrust(ctx context.Context, st store.Control, topic func(context.Context) (queue.TopicInfo, error)) (*record.Trust, error) {
	row, err := st.Row(ctx, record.TrustRow)
	if err != nil {
		return nil, err
	}
	if row != nil {
		return record.ParseTrust(row)
	}
	t, err := newTrust(ctx, st, topic)
	if err != nil {
		return nil, err
	}
	won, err := st.SwapRow(ctx, record.TrustRow, nil, t.Encode())
	if err != nil || won {
		return t, err
	}
	if row, err = st.Row(ctx, record.TrustRow); err != nil { // another process was first
		return nil, err
	}
	return record.ParseTrust(row)
}

func newTrust(ctx context.Context, st store.Control, topic func(context.Context) (queue.TopicInfo, error)) (*record.Trust, error) {
	info, err := topic(ctx)
	if err != nil {
		return nil, err
	}
	epochs, err := st.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	p, err := st.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	epoch := uint32(len(epochs)) // the one that is about to begin
	if n := len(epochs); n > 0 && epochs[n-1].TopicID == info.ID && epochs[n-1].Partitions == info.Partitions {
		epoch = epochs[n-1].Number
	}
	key := make([]byte, record.KeyBytes)
	_, _ = rand.Read(key) // never fails
	return &record.Trust{Key: key, Epoch: epoch, Ends: info.Ends, Generations: p.Next}, nil
}
