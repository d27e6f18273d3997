package queue

import (
	"context"
	"fmt"
	"sync"

	"speedlayer/record"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Rerouter sends records on: to the partition where they belong, or to the
// dead-letter topic. It is one idempotent producer, which keeps the order for
// each target and fails everything after a failed record. After an error it is
// of no more use. One goroutine owns it.
type Rerouter struct {
	kafka *kgo.Client
	topic string // of the client
	trust *record.Trust
	mu    struct {
		sync.Mutex
		err error // the first
	}
}

// NewRerouter returns a rerouter; its owner closes it.
func (c *Client) NewRerouter() (*Rerouter, error) {
	p, err := newManualProducer(c.cfg)
	if err != nil {
		return nil, err
	}
	return &Rerouter{kafka: p, topic: c.cfg.Topic, trust: c.trust.Load()}, nil
}

// Reroute appends a record to partition target, with where it came from. Key and
// value are the rerouter's until Flush.
func (m *Rerouter) Reroute(target int32, key, value []byte, from record.Source) {
	m.Forward(m.topic, target, key, value, from)
}

// Forward is Reroute to a partition of another topic.
func (m *Rerouter) Forward(topic string, target int32, key, value []byte, from record.Source) {
	source := from.Append(nil)
	headers := []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: source}}
	m.send(&kgo.Record{Topic: topic, Partition: target, Key: key, Value: value,
		Headers: m.trust.SignRerouted(headers, target, source, key, value)})
}

// DeadLetter appends a record, as it is, to the dead-letter topic, with why and
// where it stood.
func (m *Rerouter) DeadLetter(r *kgo.Record, from record.Source, why string) {
	headers := append([]kgo.RecordHeader(nil), r.Headers...)
	headers = append(headers,
		kgo.RecordHeader{Key: record.ReasonHeader, Value: []byte(why)},
		kgo.RecordHeader{Key: record.SourceHeader, Value: fmt.Appendf(nil, "%s/%v", m.topic, from)})
	m.send(&kgo.Record{Topic: RejectedTopic(m.topic), Key: r.Key, Value: r.Value, Headers: headers})
}

func (m *Rerouter) send(r *kgo.Record) {
	m.kafka.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
		if err == nil {
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.mu.err == nil {
			m.mu.err = appendError(err)
		}
	})
}

// Flush waits until everything sent is acknowledged. An error means that some
// of it may not be: send all of it again with a new rerouter.
func (m *Rerouter) Flush(ctx context.Context) error {
	if err := m.kafka.Flush(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.err
}

// Close drops what is not acknowledged.
func (m *Rerouter) Close() { m.kafka.Close() }
