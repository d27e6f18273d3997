package microbatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// RunnerConfig defines what a Runner runs and with what.
type RunnerConfig struct {
	Store    store.Store
	Queue    *queue.Client
	Epoch    store.Epoch
	Progress *Progress
	Operator func() Operator // a fresh one for each processor
	Topic    string          // that is processed
	Logger   *slog.Logger

	// Assignment defines which partitions to work on; nil: all of them, alone.
	Assignment Assignment
	// Fence stops the runner when its log epoch has ended; nil: no other process
	// could end it.
	Fence *catalog.Fence
	Trust *record.Trust // that of Config

	// Repairs: the caller can repair a log that cannot be read. Run returns
	// *queue.ErrUnreadable then; else it goes on trying.
	Repairs bool

	MaxBatch      int           // records of one commit at most; 0 is 131,072
	MaxDelay      time.Duration // a commit follows at the latest; 0 is 100 ms. Up to twenty times that for records that are old already
	SnapshotEvery time.Duration // between snapshots of one partition; 0 is 5 s

	// Observe is told of every commit; Snapshotted of every snapshot that was
	// named. Both may be nil and are called from the workers.
	Observe     func(CommitStats)
	Snapshotted func(partition int32, offset int64)
}

// CommitStats describe one commit.
type CommitStats struct {
	Partition int32
	Records   int64
	Cells     int
	Bytes     int           // of their values
	Process   time.Duration // classifying and running the records
	Apply     time.Duration // until the store had them
	Counts    store.CommitRecord
}

// Runner runs one processor for each partition that is its own, each in a
// goroutine of its own, until its context ends.
type Runner struct {
	cfg     RunnerConfig
	work    work
	workers atomic.Pointer[workers]

	health *health
	// snapshots holds the one buffer for operator state: so one snapshot is
	// written at a time, and memory for it is bounded.
	snapshots chan []byte
	// large bounds commits of large batches at a time, and so the memory that
	// they take on their way.
	large chan struct{}
}

// largeBatch is how many records make a batch large: more than a sync's worth.
const largeBatch = 16 << 10

// NewRunner returns a runner; Run starts it.
func NewRunner(cfg RunnerConfig) *Runner {
	if cfg.MaxBatch == 0 {
		cfg.MaxBatch = 128 << 10
	}
	if cfg.MaxDelay == 0 {
		cfg.MaxDelay = 100 * time.Millisecond
	}
	if cfg.SnapshotEvery == 0 {
		cfg.SnapshotEvery = 5 * time.Second
	}
	if cfg.Assignment == nil {
		cfg.Assignment = everything(cfg.Epoch.Partitions)
	}
	r := &Runner{cfg: cfg, work: newWork(cfg.Store, cfg.Queue, cfg.Epoch, cfg.Topic, cfg.Operator, cfg.Fence, cfg.Trust),
		snapshots: make(chan []byte, 1), large: make(chan struct{}, 2), health: newHealth(cfg.Logger, time.Now)}
	r.snapshots <- nil
	if cfg.Fence == nil {
		r.health.takeOver = slog.LevelDebug
	}
	return r
}

// Run works until ctx ends, and then commits what it has and leaves a snapshot
// of each partition, for at most the time that stop allows. It returns ErrGap or
// catalog.ErrEpochEnded when a log epoch has ended: the caller finds out which one
// follows, and runs another runner.
func (r *Runner) Run(ctx context.Context, stop time.Duration) error {
	g, work := errgroup.WithContext(ctx)
	c := newWorkers(work, r, g, stop)
	r.workers.Store(c)
	if r.cfg.Fence != nil {
		g.Go(func() error { return r.cfg.Fence.Watch(work) })
	}
	g.Go(func() error { return r.cfg.Assignment.Run(work, c.assign, c.revoke) })
	return g.Wait()
}

// Owned lists the partitions that the runner works on now, in no order.
func (r *Runner) Owned() []int32 {
	if c := r.workers.Load(); c != nil {
		return c.owned()
	}
	return nil
}

// partition keeps a processor of one partition alive.
func (r *Runner) partition(ctx context.Context, part int32, stop time.Duration) error {
	log := r.cfg.Logger.With("partition", part)
	r.health.begin(part)
	defer r.health.end(part)
	for attempt := 1; ; attempt++ {
		w := &worker{r: r, part: part, log: log}
		err := w.run(ctx, stop)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrGap), errors.Is(err, catalog.ErrEpochEnded):
			return err
		case r.cfg.Repairs && errors.As(err, new(*queue.ErrUnreadable)):
			return err
		}
		r.health.failed(part, fmt.Errorf("processor stopped, another takes over from its commit: %w", err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(5*time.Second, 50*time.Millisecond<<min(attempt, 7))):
		}
	}
}

// worker is one processor with its reader, from take-over to its end.
//
// It repeats three steps: poll records, process them, and commit if a commit is due.
// Two invariants make a stop, a failure and a crash at any point harmless.
//
// State in memory is never behind what it has read and never used after it was ahead of
// a failed commit. Process changes dedupe, visits and cells as it goes. If it fails
// half-way, or the commit fails for good, memory holds events that the store does not,
// and the position in the log says nothing any more. Undoing the changes would need a
// copy of everything before each batch. So the worker is marked dead instead: nothing
// is committed or saved from it, and Runner.partition starts another one, which loads
// the last snapshot and runs the log from there.
//
// A batch is not cut by a stop. Under the context that asks for the stop, Process or
// Commit could fail half-way at every shutdown, and each restart would run the log
// again from the last snapshot. So polling uses the context that ends at once, and
// everything that changes state uses a second one, which ends some time later (run).
// A worker that is stopped thus commits what it has read, and saves a snapshot at that
// commit: the next owner starts without running anything again.
//
// The offsets of the log have gaps where transactions end or were aborted. Records
// alone therefore do not tell how far the worker is; Advance moves the position over
// such gaps, and ahead notes that there is something to commit even without a record.
type worker struct {
	r    *Runner
	part int32
	log  *slog.Logger

	own       *ownership
	proc      *Processor    // its
	reader    *queue.Reader // its
	spent     time.Duration // processing since the last commit
	records   int64
	ahead     bool      // the position is above the last commit's, be it by offsets without records
	since     time.Time // of the first record that is not committed
	throttled time.Time // until then, a commit is not worth its cost
	snapshot  int64     // offset of the last snapshot taken
	snapAt    time.Time
	snapDone  chan error // answers of the snapshot in flight
	inFlight  bool
	snapStart int64
	dead      bool // state moved on and was not committed: of no more use
}

func (w *worker) run(ctx context.Context, stop time.Duration) (err error) {
	cfg := &w.r.cfg
	began := time.Now()
	if err := w.takeOver(ctx); err != nil {
		return err
	}
	defer w.own.close()
	w.snapDone = make(chan error, 1)
	cfg.Progress.Set(w.part, w.proc.Committed())
	w.r.health.loaded(w.part, w.proc.Next())
	w.log.Debug("took over", "from", w.proc.Next(), "commit", w.proc.Committed(), "took", time.Since(began))
	// A stop must not cut through a range: state that moved on could not be
	// committed. So the work has a context of its own, which ends a while after
	// the one that asks for the stop.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stop, cancel) })()
	err = w.loop(ctx, work)
	defer w.awaitSnapshot()
	if ctx.Err() != nil && !w.dead {
		return w.finish(work)
	}
	return err
}

// takeOver makes the worker an owner of its partition. As many do at a time as may
// commit large batches: state of tens of MB is read whole.
func (w *worker) takeOver(ctx context.Context) (err error) {
	select {
	case w.r.large <- struct{}{}:
		defer func() { <-w.r.large }()
	case <-ctx.Done():
		return ctx.Err()
	}
	cfg := &w.r.cfg
	if w.own, err = w.r.work.takeOver(ctx, w.part, w.retry, (&rejects{log: w.log, topic: cfg.Topic, now: time.Now}).add); err != nil {
		return err
	}
	w.proc, w.reader = w.own.proc, w.own.reader
	w.snapshot = w.proc.Next()
	// The partitions take turns over the interval. One that has to run the log
	// again takes a snapshot as soon as it has caught up, so that the next crash
	// does not add to this one.
	w.snapAt = time.Now().Add(-cfg.SnapshotEvery)
	if w.proc.Next() == w.proc.Committed() {
		w.snapAt = w.snapAt.Add(cfg.SnapshotEvery * time.Duration(w.part+1) / time.Duration(cfg.Epoch.Partitions))
	}
	return nil
}

// loop works until ctx ends or something fails. Whatever changes state runs
// under the context work.
func (w *worker) loop(ctx, work context.Context) error {
	var recs []*kgo.Record
	var err error
	for {
		recs, err = w.poll(ctx, recs[:0])
		if err != nil {
			return w.r.work.gap(ctx, w.proc.cfg.Shard, err)
		}
		begin := time.Now()
		if !w.ahead {
			w.since = begin
		}
		w.ahead = true
		if err = w.process(work, recs); err == nil {
			w.proc.Advance(w.reader.Position())
		}
		w.reader.Recycle(recs)
		if err != nil {
			w.dead = true
			return err
		}
		w.r.health.progressed(w.part, w.proc.Next())
		if w.due() {
			if err := w.commit(work); err != nil {
				return err
			}
		}
	}
}

// process processes records, and commits in between so that no commit covers more
// than MaxBatch of them.
func (w *worker) process(ctx context.Context, recs []*kgo.Record) error {
	for {
		begin := time.Now()
		n := min(len(recs), max(1, w.r.cfg.MaxBatch-int(w.records)))
		if err := w.proc.Process(ctx, recs[:n]); err != nil {
			return err
		}
		w.records += int64(n)
		w.spent += time.Since(begin)
		if recs = recs[n:]; len(recs) == 0 {
			return nil
		}
		if err := w.commit(ctx); err != nil {
			return err
		}
		w.since, w.ahead = time.Now(), true
	}
}

// poll waits for records; while some are not committed, until those are due at
// the latest, and then it may return none.
func (w *worker) poll(ctx context.Context, recs []*kgo.Record) ([]*kgo.Record, error) {
	if !w.ahead {
		return w.reader.Poll(ctx, recs)
	}
	deadline := w.since.Add(w.maxDelay())
	if w.reader.Behind() == 0 && w.throttled.Before(deadline) {
		deadline = w.throttled
	}
	until, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	recs, err := w.reader.Poll(until, recs)
	if err != nil && until.Err() != nil && ctx.Err() == nil {
		return recs, nil
	}
	return recs, err
}

func (w *worker) commit(ctx context.Context) error {
	if w.records > largeBatch {
		select {
		case w.r.large <- struct{}{}:
			defer func() { <-w.r.large }()
		case <-ctx.Done():
			w.dead = true
			return ctx.Err()
		}
	}
	begin := time.Now()
	if err := w.proc.Commit(ctx); err != nil {
		w.dead = true
		return err
	}
	apply := time.Since(begin)
	w.r.health.progressed(w.part, w.proc.Next())
	w.r.cfg.Progress.Set(w.part, w.proc.Committed())
	if w.r.cfg.Observe != nil {
		w.r.cfg.Observe(CommitStats{Partition: w.part, Records: w.records, Cells: w.proc.wrote.cells, Bytes: w.proc.wrote.bytes,
			Process: w.spent, Apply: apply, Counts: w.proc.Counts()})
	}
	w.records, w.spent, w.ahead = 0, 0, false
	w.throttle(w.proc.wrote.bytes, apply)
	w.snapshotIfDue(ctx)
	return nil
}

// retry waits between attempts; the store or the sink is away, so the partition
// waits and its reader with it: back-pressure, not memory.
func (w *worker) retry(ctx context.Context, attempt int, err error) error {
	if errors.Is(err, store.ErrClosed) || errors.Is(err, catalog.ErrEpochEnded) || errors.Is(err, store.ErrNoGeneration) && attempt > 100 {
		return err
	}
	w.r.health.failed(w.part, err)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(time.Second, time.Millisecond<<min(attempt, 10))):
		return nil
	}
}

// finish commits what was processed, so that nothing is done twice, and leaves
// a snapshot at the commit, so that the next start is quick.
func (w *worker) finish(ctx context.Context) error {
	if err := w.commit(ctx); err != nil {
		return fmt.Errorf("last commit of partition %d: %w", w.part, err)
	}
	w.awaitSnapshot()
	if w.proc.Next() == w.snapshot || w.proc.Next() < w.proc.Committed() {
		return nil
	}
	select {
	case buf := <-w.r.snapshots:
		buf = w.proc.AppendState(buf[:0])
		err := SaveSnapshot(ctx, w.r.cfg.Store, w.proc.cfg.Shard, w.proc.Next(), buf)
		w.r.snapshots <- buf
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
