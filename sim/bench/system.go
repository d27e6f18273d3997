package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

const partitions = 8

// logQueue is the embedded broker with a client.
type logQueue struct {
	broker *embedded.Broker
	client *queue.Client
}

// openQueue starts a broker on a directory; listen may be "".
func openQueue(ctx context.Context, o Options, dir, listen string) (*logQueue, error) {
	b, err := embedded.Start(embedded.Config{Dir: dir, Listen: listen, Partitions: partitions, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	c, err := queue.Dial(ctx, queue.Config{Brokers: []string{b.Addr()}, Partitions: partitions, Logger: o.Logger})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &logQueue{b, c}, nil
}

func (q *logQueue) close() error {
	q.client.Close()
	return q.broker.Close()
}

// system is store and processors over a queue: what turns a log into views.
type system struct {
	o        Options
	queue    *queue.Client
	store    store.Store
	epoch    store.Epoch
	progress *microbatch.Progress

	snapshotEvery time.Duration
	observe       func(microbatch.CommitStats)
	snapshotted   func(partition int32, offset int64) // may be nil
	commits       atomic.Int64
	cells, bytes  atomic.Int64
	applied       atomic.Int64 // ns in the store, all workers

	cancel context.CancelFunc
	done   chan error // what the runner returned
}

// openSystem opens a store in a directory and finds where the log stands. No
// processor runs yet.
func openSystem(ctx context.Context, o Options, q *queue.Client, dir string) (s *system, err error) {
	if s, err = openStore(o, dir); err != nil {
		return nil, err
	}
	s.queue = q
	if err := s.locate(ctx); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

func openStore(o Options, dir string) (*system, error) {
	st, err := pebble.Open(pebble.Options{Dir: dir, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	return systemOn(o, st), nil
}

// systemOn is a system over a store that is open, which it closes.
func systemOn(o Options, st store.Store) *system { return &system{o: o, store: st, cancel: func() {}} }

// locate settles the log epoch and where its shards are committed.
func (s *system) locate(ctx context.Context) error {
	topic, err := s.queue.Info(ctx)
	if err != nil {
		return err
	}
	s.epoch, _, err = microbatch.EnsureEpoch(ctx, s.store, topic, microbatch.DefaultSettings())
	if err != nil {
		return err
	}
	committed := append([]int64(nil), s.epoch.Starts...)
	for part := range s.epoch.Partitions {
		c, found, err := s.store.Commit(ctx, store.Shard{Epoch: s.epoch.Number, Partition: part})
		if err != nil {
			return err
		}
		if found {
			committed[part] = c.Offset
		}
	}
	s.progress = microbatch.NewProgress(committed)
	return nil
}

// start lets the processors run, until close or stop.
func (s *system) start(ctx context.Context) {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := microbatch.NewRunner(microbatch.RunnerConfig{
		Store: s.store, Queue: s.queue, Epoch: s.epoch, Progress: s.progress, Hash: microbatch.PageviewHash(),
		Operator: func() microbatch.Operator {
			return microbatch.NewPageviews(microbatch.DefaultSettings(), view.Limits{Growths: store.Growths(s.store)})
		},
		Logger: s.o.Logger, SnapshotEvery: s.snapshotEvery, Observe: s.committed, Snapshotted: s.snapshotted,
	})
	s.cancel, s.done = cancel, make(chan error, 1)
	go func() { s.done <- r.Run(run, 10*time.Second) }() // ends with stop
}

func (s *system) committed(c microbatch.CommitStats) {
	s.commits.Add(1)
	s.cells.Add(int64(c.Cells))
	s.bytes.Add(int64(c.Bytes))
	s.applied.Add(int64(c.Apply))
	if s.observe != nil {
		s.observe(c)
	}
}

// written appends what the commits wrote since the start, or resetWritten.
func (s *system) written(r *Result, events int64) {
	n := float64(events)
	r.detail("events a commit", n/float64(max(1, s.commits.Load())), "")
	r.detail("cells written", float64(s.cells.Load())/n, "/event")
	r.detail("cells' bytes written", float64(s.bytes.Load())/n, "B/event")
	r.detail("store apply, all workers", float64(s.applied.Load())/n, "ns/event")
}

func (s *system) resetWritten() {
	s.commits.Store(0)
	s.cells.Store(0)
	s.bytes.Store(0)
	s.applied.Store(0)
}

// wait returns when everything below ends is queryable.
func (s *system) wait(ctx context.Context, ends []int64) error {
	var last []queue.Position
	for part, end := range ends {
		if end > 0 {
			last = append(last, queue.Position{Partition: int32(part), Offset: end - 1})
		}
	}
	return s.progress.Wait(ctx, last)
}

// stop ends the processors: they commit and leave snapshots.
func (s *system) stop() error {
	s.cancel()
	if s.done == nil {
		return nil
	}
	err := <-s.done
	s.done = nil
	return err
}

func (s *system) close() error { return errors.Join(s.stop(), s.store.Close()) }

// counts sums the commit records of all shards.
func (s *system) counts(ctx context.Context) (sum store.CommitRecord, err error) {
	for part := range s.epoch.Partitions {
		c, found, err := s.store.Commit(ctx, store.Shard{Epoch: s.epoch.Number, Partition: part})
		if err != nil || !found {
			return sum, errors.Join(err, fmt.Errorf("partition %d: committed %v", part, found))
		}
		r, err := store.DecodeCommitRecord(c.Record)
		if err != nil {
			return sum, err
		}
		sum.Records += r.Records
		sum.Events += r.Events
		sum.Duplicates += r.Duplicates
		sum.Refused += r.Refused
		sum.MovedOut += r.MovedOut
	}
	return sum, nil
}

// freshDir makes an empty directory inside of o.Dir.
func freshDir(o Options, name string) (string, error) {
	dir := filepath.Join(o.Dir, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}
