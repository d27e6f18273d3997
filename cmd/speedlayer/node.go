package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"speedlayer/microbatch"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/store"
)

// stopTime bounds a graceful stop.
const stopTime = 8 * time.Second

// nodeOptions is what a node needs. Its zero value but Data is right: everything
// embedded, all roles.
type nodeOptions struct {
	Data  string       // directory of what is embedded, made if missing
	Roles roleSet      // 0 is all
	Kafka queue.Config // how to reach a cluster; no brokers: the embedded one
	// OpenStore opens a store that processes share, which the node closes; nil is
	// Pebble in Data.
	OpenStore func(ctx context.Context) (store.Store, error)
	StoreName string // of OpenStore's, for people

	// Of processes that share a store:
	Group          string        // consumer group of all its processors; "" is speedlayer
	Member         string        // this process's name in it; "" is made of host and process id
	SessionTimeout time.Duration // silence after which others take over; 0 is 6 s

	KafkaListen   string // of the embedded broker; "" for any port on the loopback
	Partitions    int32  // of a fresh topic; 0 is 8
	Settings      microbatch.Settings
	Keep          bool // take the settings of the store, not Settings
	SnapshotEvery time.Duration
	MaxDelay      time.Duration
	MaxLogBytes   int64 // user's bound on the log; 0 keeps everything
	Batch         batchOptions
	Logger        *slog.Logger
	Observe       func(microbatch.CommitStats)
}

// embedded says whether anything lies in the data directory.
func (o *nodeOptions) embedded() bool { return len(o.Kafka.Brokers) == 0 || o.OpenStore == nil }

// shared says whether other processes may work on the same store.
func (o *nodeOptions) shared() bool { return o.OpenStore != nil }

func (o *nodeOptions) setDefaults() {
	if o.Partitions == 0 {
		o.Partitions = 8
	}
	if o.Roles == 0 {
		o.Roles = allRoles
	}
	if o.Settings == (microbatch.Settings{}) {
		o.Settings = microbatch.DefaultSettings()
	}
	if o.Group == "" {
		o.Group = "speedlayer"
	}
	if o.Batch.Lease == 0 {
		o.Batch.Lease = time.Minute
	}
	if o.Batch.QueryTime == 0 {
		o.Batch.QueryTime = 30 * time.Second
	}
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = 5 * time.Second
		if o.shared() { // where it goes through other servers
			o.SnapshotEvery = 10 * time.Second
		}
	}
	if o.Member == "" {
		o.Member = memberName()
	}
}

// node is a process's part of the system: a side of the queue, a side of the
// store, and the roles that it has between them. Embedded it is all of it: the
// broker, Pebble and every role. open starts upward, close stops downward.
type node struct {
	opts   nodeOptions
	lock   *flock.Flock     // of the data directory; nil without one
	broker *embedded.Broker // the embedded one; nil with a cluster
	store  store.Store
	queue  *queue.Client
	ends   *queue.Ends
	edges  *query.Edges
	engine *query.Engine
	batch  *batchSide

	presence *query.Presence // nil where other processes process too
	progress *microbatch.Progress
	applied  atomic.Int64                      // ns until the store had the last batch
	runner   atomic.Pointer[microbatch.Runner] // of the newest epoch
	keeper   *logKeeper
	epoch    struct {
		sync.Mutex
		now   store.Epoch
		known bool
	}

	cancel context.CancelFunc // asks the goroutines to stop
	done   sync.WaitGroup
	failed chan error // first error that ends the node, if any
}

func openNode(ctx context.Context, o nodeOptions) (n *node, err error) {
	o.setDefaults()
	n = &node{opts: o, edges: query.NewEdges(), failed: make(chan error, 1), cancel: func() {}}
	if !o.shared() {
		n.presence = query.NewPresence(time.Now, query.PresenceLimits{})
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if err := n.openSides(ctx); err != nil {
		return n, err
	}
	n.ends = n.queue.NewEnds()
	if err := n.openBatch(ctx); err != nil {
		return n, err
	}
	if err := n.prepare(ctx); err != nil {
		return n, err
	}
	n.engine = query.New(query.Config{Store: n.store, Edges: n.edges, Now: time.Now, LogEnds: n.logEnds, Append: n.queue.AppendEdge,
		Changed: n.progress.Changed, Presence: n.presence, Info: n.info, Batch: n.batch.views, QueryTime: n.opts.Batch.QueryTime})
	return n, n.start(ctx)
}

// start begins the work of the node's roles. It returns when queries can be
// answered.
func (n *node) start(ctx context.Context) error {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.done.Go(func() { n.ends.Follow(run) })
	if n.opts.Roles.has(processorRole) {
		n.goFail(func() error { return n.process(run) })
		n.keeper.start(run, &n.done)
	}
	if n.opts.shared() {
		n.done.Go(func() { n.followCommits(run) })
	}
	if n.followsArchive() {
		n.goFail(func() error { return n.batch.layer.Follow(run) })
	}
	if n.opts.Batch.Every > 0 {
		n.done.Go(func() { n.batch.schedule(run) })
	}
	if !n.opts.Roles.has(queryRole) {
		return nil
	}
	edgesRead := make(chan struct{})
	n.goFail(func() error { return n.followEdges(run, edgesRead) })
	select { // no answer before all edges are known
	case <-edgesRead:
		return nil
	case err := <-n.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *node) goFail(f func() error) {
	n.done.Go(func() {
		if err := f(); err != nil {
			select {
			case n.failed <- err:
			default:
			}
		}
	})
}

// close stops downward: processors commit, then queue, store and lock go.
func (n *node) close() error {
	var err error
	if n.batch != nil { // first: a run waits for processors to commit
		err = n.batch.close()
	}
	n.cancel()
	n.done.Wait()
	return errors.Join(err, n.closeSides())
}
