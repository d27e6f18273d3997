package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Topics of the older architecture. The topic pageviews has them in any order. The
// topic topicValid has the valid ones, partitioned by URL, so that a single worker
// increments the counts of a URL.
const (
	topicValid = "pageviews-valid"
	partitions = 4
)

// workers is queues and workers, as people build it: each worker takes one message,
// does its work, and then acknowledges the message. A worker that dies between the
// two repeats the work after its restart, so this is at least once.
type workers struct {
	brokers []string
	admin   *kadm.Client
	db      *pebble.DB // key -> count, 8 bytes big-endian
	cancel  context.CancelFunc
	work    *errgroup.Group
	working context.Context // ends with the first worker that fails
}

func runWorkers(ctx context.Context, brokers []string, dir string) (_ system, err error) {
	w := &workers{brokers: brokers}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, err
	}
	w.admin = kadm.NewClient(client)
	made, err := w.admin.CreateTopics(ctx, partitions, 1, nil, topic, topicValid)
	for _, r := range made {
		if r.Err != nil && !errors.Is(r.Err, kerr.TopicAlreadyExists) {
			err = errors.Join(err, r.Err)
		}
	}
	if err != nil {
		return nil, err
	}
	if w.db, err = pebble.Open(filepath.Join(dir, "counts"), &pebble.Options{Logger: quiet{}}); err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	w.work, run = errgroup.WithContext(run)
	w.working = run
	for part := range int32(partitions) {
		w.work.Go(func() error { return w.consume(run, topic, part, w.forward) })
		w.work.Go(func() error { return w.consume(run, topicValid, part, w.increment) })
	}
	return w, nil
}

// consume is a worker: it does do for each message of a partition, and acknowledges it.
func (w *workers) consume(ctx context.Context, topic string, part int32, do func(context.Context, *kgo.Client, *kgo.Record) error) error {
	at, err := w.acknowledged(ctx, topic)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {part: kgo.NewOffset().At(at[part])}}))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if err := do(ctx, client, r); err != nil {
				return err
			}
			if err := w.acknowledge(ctx, r); err != nil {
				return err
			}
		}
	}
}

// acknowledged returns the offset of the next message by partition. Partitions without
// an acknowledged message are left out.
func (w *workers) acknowledged(ctx context.Context, topic string) (map[int32]int64, error) {
	next := map[int32]int64{}
	offsets, err := w.admin.FetchOffsets(ctx, "workers-of-"+topic)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, err
	}
	for part, o := range offsets[topic] {
		if o.At > 0 {
			next[part] = o.At
		}
	}
	return next, nil
}

func (w *workers) acknowledge(ctx context.Context, r *kgo.Record) error {
	var o kadm.Offsets
	o.AddOffset(r.Topic, r.Partition, r.Offset+1, -1)
	return w.admin.CommitAllOffsets(ctx, "workers-of-"+r.Topic, o)
}

// forward filters and validates: valid pageviews go on to the queue of their URL.
func (w *workers) forward(ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	p, err := decode(r.Value)
	if err != nil {
		return nil //nolint:nilerr // an invalid message is dropped
	}
	return client.ProduceSync(ctx, &kgo.Record{Topic: topicValid, Key: []byte(p.URL), Value: r.Value}).FirstErr()
}

// increment adds one to the count of the pageview's URL and hour.
func (w *workers) increment(_ context.Context, _ *kgo.Client, r *kgo.Record) error {
	p, err := decode(r.Value)
	if err != nil {
		return err
	}
	n, err := w.get(p.Key())
	if err != nil {
		return err
	}
	return w.db.Set([]byte(p.Key()), binary.BigEndian.AppendUint64(nil, n+1), pebble.Sync)
}

func (w *workers) get(key string) (uint64, error) {
	value, closer, err := w.db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	return binary.BigEndian.Uint64(value), nil
}

func (w *workers) count(_ context.Context, key string) (uint64, error) { return w.get(key) }

func (w *workers) all(context.Context) (map[string]uint64, error) {
	i, err := w.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	counts := map[string]uint64{}
	for ok := i.First(); ok; ok = i.Next() {
		counts[string(i.Key())] = binary.BigEndian.Uint64(i.Value())
	}
	return counts, i.Close()
}

// settle waits until all that the queues hold is acknowledged, queue by queue.
func (w *workers) settle(ctx context.Context) error {
	for _, topic := range []string{topic, topicValid} {
		ends, err := w.admin.ListEndOffsets(ctx, topic)
		if err != nil {
			return err
		}
		want := map[int32]int64{}
		ends.Each(func(o kadm.ListedOffset) {
			if o.Offset > 0 {
				want[o.Partition] = o.Offset
			}
		})
		for {
			at, err := w.acknowledged(ctx, topic)
			if err != nil {
				return err
			}
			if maps.Equal(at, want) {
				break
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-w.working.Done():
				return fmt.Errorf("the workers have ended: %w", context.Cause(w.working))
			case <-ctx.Done():
				return fmt.Errorf("waiting for the workers of %s, which are at %v of %v in %v: %w", topic, at, want, slices.Sorted(maps.Keys(want)), ctx.Err())
			}
		}
	}
	return nil
}

func (w *workers) close() error {
	w.cancel()
	err := w.work.Wait()
	w.admin.Close()
	return errors.Join(err, w.db.Close())
}

// quiet is Pebble's log, which nobody reads here.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
