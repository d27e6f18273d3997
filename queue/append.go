package queue

import (
	"context"
	"errors"
	"fmt"

	"speedlayer/record"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Position is where a record lies in the client's topic.
type Position struct {
	Partition int32
	Offset    int64
	Person    uint32 // record.PersonHash of its key; 0: not known
}

// Home is the partition where the record counts if the topic has so many
// partitions; false if its person is not known. The record lies elsewhere if its
// producer knew another number.
func (p Position) Home(partitions int32) (int32, bool) {
	return record.PartitionOfHash(p.Person, partitions), p.Person != 0
}

// Message is a record to append: a person, which is the key, and an encoded
// pageview.
type Message struct{ Person, Value []byte }

// Append appends a pageview to the person's partition. It returns at once; done
// is called when the record is durable, or will never be said to be: after an
// error it may still be in the log, so the client must send it again with the
// same nonce. Records that arrive together share one synced append. person and
// value are the queue's until done.
func (c *Client) Append(ctx context.Context, person, value []byte, done func(Position, error)) {
	c.kafka.TryProduce(ctx, &kgo.Record{Topic: c.cfg.Topic, Key: person, Value: value}, func(r *kgo.Record, err error) {
		if err != nil {
			done(Position{}, appendError(err))
			return
		}
		done(Position{r.Partition, r.Offset, record.PersonHash(person)}, nil)
	})
}

func appendError(err error) error {
	switch {
	case errors.Is(err, kgo.ErrMaxBuffered):
		return ErrOverloaded
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// AppendSync appends messages and waits until all are durable. Messages of one
// person keep their order.
func (c *Client) AppendSync(ctx context.Context, messages []Message) ([]Position, error) {
	recs := make([]*kgo.Record, len(messages))
	for i, m := range messages {
		recs[i] = &kgo.Record{Topic: c.cfg.Topic, Key: m.Person, Value: m.Value}
	}
	at := make([]Position, len(messages))
	for i, r := range c.kafka.ProduceSync(ctx, recs...) {
		if r.Err != nil {
			return nil, appendError(r.Err)
		}
		at[i] = Position{recs[i].Partition, recs[i].Offset, record.PersonHash(messages[i].Person)}
	}
	return at, nil
}

// AppendMarker appends a marker to one partition and waits until it is durable:
// a record without a key, with its header.
func (c *Client) AppendMarker(ctx context.Context, partition int32, value []byte) error {
	headers := []kgo.RecordHeader{{Key: record.MarkerHeader, Value: []byte("1")}}
	r := &kgo.Record{Topic: c.cfg.Topic, Partition: partition, Value: value,
		Headers: c.trust.Load().SignMarker(headers, partition, value)}
	return c.AppendRaw(ctx, r)
}

// AppendRaw appends a record as it is to the partition that it names, and waits
// until it is durable.
func (c *Client) AppendRaw(ctx context.Context, r *kgo.Record) error {
	p, err := newManualProducer(c.cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.ProduceSync(ctx, r).FirstErr(); err != nil {
		return appendError(err)
	}
	return nil
}

// newManualProducer is an idempotent producer whose records say their partition.
func newManualProducer(cfg Config) (*kgo.Client, error) {
	p, err := kgo.NewClient(cfg.connect(
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(maxBatchBytes),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(answerTime),
		kgo.ProducerLinger(0),
		kgo.StopProducerOnDataLossDetected(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return p, nil
}
