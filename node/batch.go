package node

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"speedlayer/batch"
	"speedlayer/batch/compute"
	"speedlayer/batch/layer"
	"speedlayer/catalog"
	"speedlayer/query"
	"speedlayer/store"
	"speedlayer/view"
)

// NoArchive is the archive of a node that has none, and no batch runs.
const NoArchive = "none"

// BatchConfig is the batch layer of a node. The zero value runs nothing by
// itself, and lies in the data directory.
type BatchConfig struct {
	Dir         string        // "" is batch in the data directory
	Archive     string        // URL; "" is archive in Dir; NoArchive for none
	Views       string        // URL of an object store for the views of runs; "" is a folder in Dir
	Follow      bool          // keep the archive up to date, not only when a run begins
	Every       time.Duration // between the begins of runs; 0 is never
	MemoryBytes int64         // of a run; 0 is the default
	Lease       time.Duration // silence after which another process takes a run over; 0 is a minute
	QueryTime   time.Duration // longest time of a query, of all processes; 0 is 30 s
}

// Times of runs that begin by themselves.
const (
	batchLook  = time.Second     // between two looks whether one is due
	batchRetry = time.Minute     // after a failed one
	dropMargin = 5 * time.Second // beyond the longest time of a query
)

// Batch is the batch layer of a node: its views for queries, and its runs,
// one at a time. Safe for concurrent use.
type Batch struct {
	node  *Node
	layer *layer.Layer
	runs  *batch.Runs
	ctx   context.Context //nolint:containedctx // of runs, which outlive the request that asked for them
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu struct {
		sync.Mutex
		working bool
		step    string
		share   float64 // of the computation
		perSec  float64
		err     error         // of the last run here
		ended   int           // runs that have ended here
		taken   chan struct{} // closed when the run has been taken, or has ended; nil when nobody waits
	}
}

// openBatch makes the node's batch layer. Nothing is touched before it is needed,
// but that views can be fetched, if they must be, is known from the start.
func (n *Node) openBatch(ctx context.Context) error {
	b := &Batch{node: n}
	b.ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	o := n.opts.Batch
	if o.Dir == "" {
		o.Dir = filepath.Join(n.opts.Data, "batch")
	}
	b.layer = layer.New(layer.Config{Dir: o.Dir, Archive: o.Archive, Views: o.Views, Source: n.source(), Commits: n.store, CheckSettings: view.CheckSettings, Trust: n.trust.Load,
		MemoryBytes: o.MemoryBytes, Progress: b.progress, Logger: n.opts.Logger})
	b.runs = &batch.Runs{Store: n.store, Log: n.queue, Job: b.layer, CheckSettings: view.CheckSettings, Trust: n.trust.Load, Owner: memberName(), Step: b.step, Compare: b.compare, Logger: n.opts.Logger}
	if n.opts.shared() {
		b.runs.DropAfter, b.runs.Lease = o.QueryTime+dropMargin, o.Lease
	}
	n.batch = b
	return b.layer.OpenShelf(ctx)
}

// followsArchive reports whether this process keeps the archive up to date. On a
// cluster those that process do, where they are told of one that all share: one of
// them works, the others stand by.
func (n *Node) followsArchive() bool {
	o := &n.opts
	told := o.Batch.Archive != "" || o.Batch.Dir != ""
	return o.Batch.Follow && o.Roles.has(RoleProcessor) && (told || !o.shared())
}

// views opens a run's views for the query engine.
func (b *Batch) views(ctx context.Context, run store.Run) (query.Views, error) {
	v, err := b.layer.Views(ctx, run)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (b *Batch) progress(p compute.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.share, b.mu.perSec = p.Share, p.PerSec
}

func (b *Batch) step(step string, run uint32) {
	b.mu.Lock()
	b.mu.step = step
	if step != "take" { // the step before the pointer names the run
		b.takenLocked()
	}
	b.mu.Unlock()
	b.node.opts.Logger.Debug("batch run", "run", run, "step", step)
}

// Run does a batch run, or goes on with one that was cut short.
func (b *Batch) Run(ctx context.Context) (store.Run, error) { return b.runs.Run(ctx) }

// Start begins a run, or the failed one again. It returns when the run is this
// process's: ErrRunning means that it is another's.
func (b *Batch) Start(ctx context.Context) error {
	taken, err := b.begin()
	if err != nil {
		return err
	}
	select {
	case <-taken:
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.working && errors.Is(b.mu.err, batch.ErrRunning) {
		return b.mu.err
	}
	return nil
}

// begin starts the work of a run; the channel is closed when the run is taken, or
// has ended.
func (b *Batch) begin() (taken <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.node.opts.Batch.Archive == NoArchive {
		return nil, errors.New("there is no archive to compute from: it was started with --archive none")
	}
	if b.mu.working {
		return nil, batch.ErrRunning
	}
	if err := b.ctx.Err(); err != nil {
		return nil, errors.New("stopping")
	}
	b.mu.working, b.mu.step, b.mu.share, b.mu.err = true, "begin", 0, nil
	b.mu.taken = make(chan struct{})
	b.done.Go(b.work)
	return b.mu.taken, nil
}

// takenLocked wakes the callers that wait in Start; b.mu is held.
func (b *Batch) takenLocked() {
	if b.mu.taken != nil {
		close(b.mu.taken)
		b.mu.taken = nil
	}
}

func (b *Batch) work() {
	log := b.node.opts.Logger
	began := time.Now()
	run, err := b.runs.Run(b.ctx)
	switch {
	case err == nil:
		log.Info("batch run completed", "run", run.Number, "took", time.Since(began).Round(time.Millisecond))
	case errors.Is(err, batch.ErrRunning):
		log.Info("no batch run begun", "why", err)
	case b.ctx.Err() != nil:
		log.Info("batch run interrupted; the next one goes on with it", "err", err)
	default:
		log.Warn("batch run failed; the next one does it again", "err", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.working, b.mu.err, b.mu.step = false, err, ""
	b.mu.ended++
	b.takenLocked()
}

// Rollback goes back to the run before.
func (b *Batch) Rollback(ctx context.Context) error {
	_, err := catalog.Rollback(ctx, b.node.store)
	if err == nil {
		b.node.opts.Logger.Warn("rolled back to the batch run before")
	}
	return err
}

// schedule begins runs when they are due, until ctx ends. Of processes that share
// the store, the first process that sees that one is due begins it; the others get an error.
func (b *Batch) schedule(ctx context.Context) {
	opened, tried := time.Now(), time.Time{}
	tick := time.NewTicker(batchLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if time.Since(tried) < min(batchRetry, b.node.opts.Batch.Every) {
			continue
		}
		p, err := b.node.store.Pointer(ctx)
		if err != nil || !due(&p, opened, time.Now(), b.node.opts.Batch.Every) {
			continue
		}
		tried = time.Now()
		_ = b.Start(ctx) // one is under way
	}
}

// due reports whether it is time for a run: so long after the last complete one
// began, or after this process did.
func due(p *store.Pointer, opened, now time.Time, every time.Duration) bool {
	last := opened
	if p.Current != nil {
		last = time.UnixMilli(p.Current.Started)
	}
	return p.Running != nil || now.Sub(last) >= every
}

// close interrupts a run under way. No query may be answered any more.
func (b *Batch) close() error {
	b.stop()
	b.done.Wait()
	return b.layer.Close()
}
