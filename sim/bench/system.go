package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"speedlayer/microbatch"
	"speedlayer/node"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/store"
)

const partitions = 8

// logQueue is the embedded broker with a client.
type logQueue struct {
	broker *embedded.Broker
	client *queue.Client
}

// openQueue starts a broker on a directory.
func openQueue(ctx context.Context, o Options, dir string) (*logQueue, error) {
	b, err := embedded.Start(embedded.Config{Dir: dir, Partitions: partitions, Logger: o.Logger, Trusted: true})
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

// node is the configuration of a node over the log, with its own store in dir.
// It has no archive: what is measured with it is the way from the log to views.
func (q *logQueue) node(o Options, dir string) node.Config {
	return node.Config{Data: dir, Kafka: queue.Config{Brokers: []string{q.broker.Addr()}}, Partitions: partitions, Logger: o.Logger}
}

// written sums what commits wrote.
type written struct {
	commits, cells, bytes atomic.Int64
	applied               atomic.Int64 // ns in the store, all workers
}

func (w *written) observe(c microbatch.CommitStats) {
	w.commits.Add(1)
	w.cells.Add(int64(c.Cells))
	w.bytes.Add(int64(c.Bytes))
	w.applied.Add(int64(c.Apply))
}

func (w *written) add(r *Result, events int64) {
	n := float64(events)
	r.detail("events a commit", n/float64(max(1, w.commits.Load())), "")
	r.detail("cells written", float64(w.cells.Load())/n, "/event")
	r.detail("cells' bytes written", float64(w.bytes.Load())/n, "B/event")
	r.detail("store apply, all workers", float64(w.applied.Load())/n, "ns/event")
}

// counts sums the commit records of the first log epoch.
func counts(ctx context.Context, st store.Store) (sum store.CommitRecord, err error) {
	for part := range int32(partitions) {
		c, found, err := st.Commit(ctx, store.Shard{Partition: part})
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
		sum.Rejected += r.Rejected
		sum.ReroutedOut += r.ReroutedOut
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
