package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"speedlayer/event"
	"speedlayer/expire"
	"speedlayer/microbatch"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

// stopTime bounds a graceful stop.
const stopTime = 8 * time.Second

// nodeOptions is what an embedded node needs. Its zero value but Data is right.
type nodeOptions struct {
	Data          string // directory, made if missing
	KafkaListen   string // "" for any port on the loopback
	Partitions    int32  // of a fresh topic; 0 is 8
	Settings      microbatch.Settings
	Keep          bool // take the settings of the store, not Settings
	SnapshotEvery time.Duration
	MaxDelay      time.Duration
	MaxLogBytes   int64 // user's bound on the log; 0 keeps everything
	Logger        *slog.Logger
	Observe       func(microbatch.CommitStats)
}

// node is everything embedded, in one process: broker, store, processors and
// query engine. open starts upward, close stops downward.
type node struct {
	opts   nodeOptions
	lock   *flock.Flock
	store  *pebble.Store
	broker *queue.Broker
	queue  *queue.Client
	ends   *queue.Ends
	edges  *query.Edges
	engine *query.Engine

	presence *query.Presence
	epoch    store.Epoch
	progress *microbatch.Progress
	keeper   *logKeeper

	cancel context.CancelFunc // asks the goroutines to stop
	done   sync.WaitGroup
	failed chan error // first error that ends the node, if any
}

func openNode(ctx context.Context, o nodeOptions) (n *node, err error) {
	if o.Partitions == 0 {
		o.Partitions = 8
	}
	if o.Settings == (microbatch.Settings{}) {
		o.Settings = microbatch.DefaultSettings()
	}
	n = &node{opts: o, edges: query.NewEdges(), presence: query.NewPresence(time.Now, query.PresenceLimits{}), failed: make(chan error, 1), cancel: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if err := n.lockData(); err != nil {
		return n, err
	}
	var opening errgroup.Group // side by side: after a crash each takes a while
	opening.Go(func() (err error) {
		n.store, err = pebble.Open(pebble.Options{Dir: filepath.Join(o.Data, "store"), Logger: o.Logger})
		return err
	})
	opening.Go(n.startBroker)
	if err := opening.Wait(); err != nil {
		return n, err
	}
	n.queue, err = queue.Dial(ctx, queue.Config{Brokers: []string{n.broker.Addr()}, Partitions: o.Partitions, Logger: o.Logger})
	if err != nil {
		return n, err
	}
	n.ends = n.queue.NewEnds()
	if err := n.prepare(ctx); err != nil {
		return n, err
	}
	n.engine = query.New(query.Config{Store: n.store, Edges: n.edges, Now: time.Now, LogEnds: n.logEnds, Append: n.queue.AppendEdge,
		Changed: n.progress.Changed, Presence: n.presence, Info: n.info})
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	edgesRead := make(chan struct{})
	n.goFail(func() error { return n.followEdges(run, edgesRead) })
	n.goFail(func() error { return n.process(run) })
	n.done.Go(func() { n.ends.Follow(run) })
	n.keeper.start(run, &n.done)
	select { // no answer before all edges are known
	case <-edgesRead:
	case err := <-n.failed:
		return n, err
	case <-ctx.Done():
		return n, ctx.Err()
	}
	return n, nil
}

func (n *node) startBroker() (err error) {
	n.broker, err = queue.StartBroker(queue.BrokerConfig{
		Dir: filepath.Join(n.opts.Data, "queue"), Listen: n.opts.KafkaListen, Partitions: n.opts.Partitions, Logger: n.opts.Logger,
	})
	if op := new(net.OpError); errors.As(err, &op) && op.Op == "listen" {
		return fmt.Errorf("--kafka-listen %s: %w", n.opts.KafkaListen, op)
	}
	return err
}

// lockData makes the directory this process's alone.
func (n *node) lockData() error {
	if err := os.MkdirAll(n.opts.Data, 0o755); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	n.lock = flock.New(filepath.Join(n.opts.Data, "LOCK"))
	held, err := n.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock of data directory %s: %w", n.opts.Data, err)
	}
	if !held {
		n.lock = nil
		return fmt.Errorf("data directory %s is held by another speedlayer process: stop it, or reach it with --server", n.opts.Data)
	}
	return nil
}

// prepare settles in which life of the log and in which generation to work.
func (n *node) prepare(ctx context.Context) error {
	topic, err := n.queue.Info(ctx)
	if err != nil {
		return err
	}
	settings, err := expire.Settings(ctx, n.store, n.opts.Settings)
	if err != nil {
		return err
	}
	if n.opts.Keep {
		n.opts.Settings = settings
	}
	epoch, reason, err := microbatch.EnsureEpoch(ctx, n.store, topic, settings)
	if err != nil {
		return fmt.Errorf("log epoch: %w", err)
	}
	if reason != "" && epoch.Number > 0 {
		n.opts.Logger.Warn("a new log epoch begins; what was counted before stays", "epoch", epoch.Number, "reason", reason, "starts", epoch.Starts)
	}
	g, began, err := expire.EnsureSettings(ctx, n.store, n.queue, topic.Partitions, n.opts.Settings)
	if err != nil {
		return fmt.Errorf("generation: %w", err)
	}
	if began {
		n.opts.Logger.Info("settings changed: a new generation begins behind markers in the log", "generation", g, "settings", n.opts.Settings.String())
	}
	n.epoch = epoch
	committed := append([]int64(nil), epoch.Starts...)
	for part := range epoch.Partitions {
		c, found, err := n.store.Commit(ctx, store.Shard{Epoch: epoch.Number, Partition: part})
		if err != nil {
			return err
		}
		if found {
			committed[part] = c.Offset
		}
	}
	n.progress = microbatch.NewProgress(committed)
	n.keeper = newLogKeeper(n)
	return nil
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

func (n *node) followEdges(ctx context.Context, caughtUp chan struct{}) error {
	var once sync.Once
	err := n.queue.FollowEdges(ctx, func(_ int64, e event.Edge) { n.edges.Apply(e) }, func() { once.Do(func() { close(caughtUp) }) })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// process runs the processors.
func (n *node) process(ctx context.Context) error {
	r := microbatch.NewRunner(microbatch.RunnerConfig{
		Store: n.store, Queue: n.queue, Epoch: n.epoch, Progress: n.progress, Hash: microbatch.PageviewHash(),
		Operator: func() microbatch.Operator {
			return microbatch.NewPageviews(n.opts.Settings, view.Limits{Tap: n.presence.Seen})
		},
		Logger:        n.opts.Logger,
		SnapshotEvery: n.opts.SnapshotEvery, MaxDelay: n.opts.MaxDelay,
		Observe: n.opts.Observe, Snapshotted: n.keeper.snapshotted,
	})
	err := r.Run(ctx, stopTime)
	if errors.Is(err, microbatch.ErrGap) {
		return fmt.Errorf("the log no longer fits the store: start again, and a new log epoch begins: %w", err)
	}
	return err
}

// logEnds says where the log of each shard ends now.
func (n *node) logEnds(ctx context.Context) (map[store.Shard]int64, error) {
	known, err := n.ends.Now(ctx)
	if err != nil {
		return nil, err
	}
	ends := make(map[store.Shard]int64, len(known))
	for part, end := range known {
		ends[store.Shard{Epoch: n.epoch.Number, Partition: int32(part)}] = end
	}
	return ends, nil
}

// info is what status shows besides what the store knows.
func (n *node) info(ctx context.Context) map[string]any {
	i := map[string]any{"data": n.opts.Data, "kafka": n.broker.Addr(), "snapshot_every": n.opts.SnapshotEvery.String()}
	if size, err := n.queue.Size(ctx); err == nil {
		i["queue_bytes"] = size
	}
	return i
}

// catchUp returns when all that the log holds now is queryable.
func (n *node) catchUp(ctx context.Context) error {
	info, err := n.queue.Info(ctx)
	if err != nil {
		return err
	}
	var last []queue.Position
	for part, end := range info.Ends {
		if end > n.epoch.Starts[part] {
			last = append(last, queue.Position{Partition: int32(part), Offset: end - 1})
		}
	}
	wait, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with wait
		select {
		case err := <-n.failed:
			n.failed <- err
			cancel(err)
		case <-wait.Done():
		}
	}()
	if err := n.progress.Wait(wait, last); err != nil {
		return errors.Join(err, context.Cause(wait))
	}
	return nil
}

// close stops downward: processors commit, then queue, store and lock go.
func (n *node) close() error {
	n.cancel()
	n.done.Wait()
	var errs []error
	if n.queue != nil {
		n.queue.Close()
	}
	if n.broker != nil {
		errs = append(errs, n.broker.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Unlock())
	}
	return errors.Join(errs...)
}

// exists says whether a path is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
