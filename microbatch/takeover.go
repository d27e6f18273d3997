package microbatch

import (
	"context"
	"errors"
	"fmt"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// work is what an owner of a partition works on, and with what.
type work struct {
	store    store.Store // behind the fence, if there is one
	plain    store.Store
	queue    *queue.Client
	epoch    store.Epoch
	topic    string
	operator func() Operator
	fence    *catalog.Fence
	trust    *record.Trust
}

func newWork(st store.Store, q *queue.Client, e store.Epoch, topic string, operator func() Operator, fence *catalog.Fence, trust *record.Trust) work {
	w := work{store: st, plain: st, queue: q, epoch: e, topic: topic, operator: operator, fence: fence, trust: trust}
	if fence != nil {
		w.store = &fencedStore{st, fence}
	}
	return w
}

// ownership is a partition in the hands of one owner: its processor, the log from
// where that stands on, and the way for records that leave the partition. One
// goroutine owns it.
type ownership struct {
	proc   *Processor
	reader *queue.Reader
	sink   *rerouterSink
}

// takeOver makes the caller an owner of a partition. That is the whole of it: the
// processor's state comes from the store, the log is opened where the state
// stands, and what the partition's other owners do meanwhile is harmless.
func (w *work) takeOver(ctx context.Context, part int32, retry func(ctx context.Context, attempt int, err error) error,
	rejected func(offset int64, reason error)) (*ownership, error) {
	routes := &rerouterSink{client: w.queue}
	var sink Sink = routes
	if w.fence != nil {
		sink = &fencedSink{routes, w.fence}
	}
	proc, err := Load(ctx, Config{
		Store: w.store, Shard: store.Shard{Epoch: w.epoch.Number, Partition: part}, Epoch: w.epoch,
		Topic: w.topic, Operator: w.operator(), Sink: sink, Retry: retry, Rejected: rejected, Trust: w.trust,
	})
	if err != nil {
		return nil, err
	}
	reader, err := w.queue.NewReader(part, proc.Next())
	if err != nil {
		return nil, err
	}
	return &ownership{proc, reader, routes}, nil
}

// close gives the partition up. What is not committed is lost, for this owner.
func (o *ownership) close() {
	o.reader.Close()
	o.sink.close()
}

// gap makes ErrGap of a reader's error if the log does not have what the shard's
// owner needs. It looks once more at the snapshot: if another owner has named one
// that the log still reaches back to, a new owner can go on from that.
func (w *work) gap(ctx context.Context, shard store.Shard, err error) error {
	var start *queue.ErrLogStart
	var end *queue.ErrLogEnd
	var cut *queue.ErrLogCut
	switch {
	case errors.As(err, &start):
		name, found, err2 := w.plain.Snapshot(context.WithoutCancel(ctx), shard)
		if err2 == nil && found && name.Offset >= start.Start {
			return err
		}
	case errors.As(err, &end), errors.As(err, &cut):
	default:
		return err
	}
	return fmt.Errorf("%w: %w", ErrGap, err)
}
