package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"speedlayer/collector"
	"speedlayer/collector/imports"
	"speedlayer/microbatch"
	"speedlayer/query"
	"speedlayer/query/active"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/view"
)

// stopTime bounds a graceful stop.
const stopTime = 8 * time.Second

// Config is what a node needs. Its zero value but Data is right: everything
// embedded, all roles, without HTTP.
type Config struct {
	Data  string       // directory of what is embedded, made if missing
	Roles Roles        // 0 is all
	Kafka queue.Config // how to reach a cluster; no brokers: the embedded one
	// OpenStore opens a store that processes share, which the node closes; nil is
	// Pebble in Data.
	OpenStore func(ctx context.Context) (store.Store, error)
	StoreName string // of OpenStore's, for people

	// Of processes that share a store:
	Group          string        // consumer group of all its processors; "" is speedlayer
	Member         string        // this process's name in it; "" is made of host and process id
	SessionTimeout time.Duration // silence after which others take over; 0 is 6 s

	KafkaListen string // of the embedded broker; "" for any port on the loopback
	Partitions  int32  // of a fresh topic; 0 is 8
	// Settings are those of a fresh store, which keeps them: later starts take what
	// the store has, and other Settings are a warning, unless ApplySettings.
	Settings      record.Settings
	ApplySettings bool // make Settings the store's, in a generation of their own
	Keep          bool // take the settings of the store, whatever Settings are
	// WaitFor is how long Open waits for a queue and a store that are not there yet.
	WaitFor       time.Duration
	SnapshotEvery time.Duration
	MaxDelay      time.Duration
	MaxLogBytes   int64 // user's bound on the log; 0 keeps everything
	Batch         BatchConfig
	HTTP          *HTTPConfig // nil serves nothing
	Logger        *slog.Logger
	Observe       func(microbatch.CommitStats) // is told of each commit; may be nil
}

// embedded reports whether anything lies in the data directory.
func (o *Config) embedded() bool { return len(o.Kafka.Brokers) == 0 || o.OpenStore == nil }

// shared reports whether other processes may work on the same store.
func (o *Config) shared() bool { return o.OpenStore != nil }

func (o *Config) setDefaults() {
	if o.Partitions == 0 {
		o.Partitions = 8
	}
	if o.Roles == 0 {
		o.Roles = AllRoles
	}
	if o.Settings == (record.Settings{}) {
		o.Settings = view.Defaults()
		o.Keep = o.Keep || !o.ApplySettings // none were asked for
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
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Member == "" {
		o.Member = memberName()
	}
}

// Node is a process's part of the system: a side of the queue, a side of the
// store, and the roles that it has between them. Embedded it is all of it: the
// broker, Pebble and every role. Open starts upward, Close stops downward.
type Node struct {
	opts   Config
	lock   *flock.Flock     // of the data directory; nil without one
	broker *embedded.Broker // the embedded one; nil with a cluster
	store  store.Store
	queue  *queue.Client
	trust  atomic.Pointer[record.Trust] // which internal records count
	ends   *queue.Ends
	edges  *query.Edges
	engine *query.Engine
	batch  *Batch
	server *server // nil without HTTP
	// collector is the server's; nil before it serves.
	collector atomic.Pointer[collector.Collector]
	metrics   *metrics

	visitors *active.Visitors // nil where other processes process too: half of a number is none
	progress *microbatch.Progress
	applied  atomic.Int64                      // ns until the store had the last batch
	runner   atomic.Pointer[microbatch.Runner] // of the newest epoch
	keeper   *logKeeper
	stalls   stalls
	given    givenSettings
	epoch    struct {
		sync.Mutex
		now   store.Epoch
		known bool
	}

	cancel  context.CancelFunc // asks the goroutines to stop
	done    sync.WaitGroup
	failed  chan error // first error that ends the node, if any
	closing sync.Once
	closed  error // of Close
}

// Run opens a node and works until ctx ends or something fails.
func Run(ctx context.Context, c Config) error {
	n, err := Open(ctx, c)
	if err != nil {
		return err
	}
	return n.Run(ctx)
}

// Run works until ctx ends or something fails, and closes the node. A clean stop
// is one line of the log, with its cause.
func (n *Node) Run(ctx context.Context) error {
	var cause error
	select {
	case <-ctx.Done():
	case cause = <-n.failed:
	}
	begin := time.Now()
	err := errors.Join(cause, n.Close())
	if err == nil {
		n.opts.Logger.Info("stopped", "cause", context.Cause(ctx), "took", time.Since(begin).Round(time.Millisecond))
	}
	return err
}

// OpenBackends opens the queue and the store only: the node does nothing, so what
// is looked at does not change.
func OpenBackends(ctx context.Context, c Config) (*Node, error) {
	c.setDefaults()
	n := &Node{opts: c, failed: make(chan error, 1), cancel: func() {}}
	if err := n.openBackends(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// Open starts a node. It returns when the node is at work and answers queries.
func Open(ctx context.Context, o Config) (n *Node, err error) {
	o.setDefaults()
	n = &Node{opts: o, metrics: newMetrics(), edges: query.NewEdges(), failed: make(chan error, 1), cancel: func() {}}
	if !o.shared() {
		n.visitors = active.New(time.Now, active.Limits{})
	}
	defer func() {
		if err != nil {
			n, err = nil, errors.Join(err, n.Close())
		}
	}()
	if err := n.openBackends(ctx); err != nil {
		return n, err
	}
	if err := n.ensureTrust(ctx); err != nil {
		return n, err
	}
	n.ends = n.queue.NewEnds()
	if err := n.openBatch(ctx); err != nil {
		return n, err
	}
	if err := n.prepare(ctx); err != nil {
		return n, err
	}
	n.engine = query.New(query.Config{Store: n.store, Edges: n.edges, Now: time.Now, LogEnds: n.logEnds, LogEndsAsked: n.logEndsAsked, Append: n.queue.AppendEdge,
		Info: n.info, Batch: n.batch.views})
	if err := n.start(ctx); err != nil || o.HTTP == nil {
		return n, err
	}
	n.metrics.watch(n)
	n.server, err = startServer(n, *o.HTTP)
	return n, err
}

// start begins the work of the node's roles. It returns when queries can be
// answered.
func (n *Node) start(ctx context.Context) error {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.done.Go(func() { n.ends.Follow(run) })
	if n.opts.Roles.has(RoleProcessor) {
		n.goFail(func() error { return n.process(run) })
		n.keeper.start(run, &n.done)
		n.done.Go(func() { n.watchStalls(run) })
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
	if !n.opts.Roles.has(RoleQuery) {
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

func (n *Node) goFail(f func() error) {
	n.done.Go(func() {
		if err := f(); err != nil {
			n.fail(err)
		}
	})
}

// fail ends the node with its first error.
func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
	default:
	}
}

// Close stops downward: nothing more is taken over HTTP, processors commit, then
// queue, store and lock go. Further calls wait for the first one, and return what it
// did.
func (n *Node) Close() error {
	n.closing.Do(func() { n.closed = n.close() })
	return n.closed
}

func (n *Node) close() error {
	var err error
	if n.server != nil {
		err = n.server.stop()
	}
	if n.batch != nil { // first: a run waits for processors to commit
		err = errors.Join(err, n.batch.close())
	}
	n.cancel()
	n.done.Wait()
	return errors.Join(err, n.closeBackends())
}

// Engine answers queries.
func (n *Node) Engine() *query.Engine { return n.engine }

// Queue is the node's side of the log.
func (n *Node) Queue() *queue.Client { return n.queue }

// Imports returns a ledger of what is imported from files.
func (n *Node) Imports() *imports.Ledger {
	return imports.New(imports.Config{Rows: n.store, Log: n.queue, Alone: n.broker != nil, Logger: n.opts.Logger})
}

// Store is where the node has its views.
func (n *Node) Store() store.Store { return n.store }

// Batch is the node's batch layer.
func (n *Node) Batch() *Batch { return n.batch }
