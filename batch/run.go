package batch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

var (
	// ErrRunning: another batch run is under way.
	ErrRunning = errors.New("batch: a batch run is under way")
	// ErrOvertaken: someone else changed the pointer, so this run has failed.
	ErrOvertaken = errors.New("batch: the pointer was changed by someone else")
)

// RunLog is what a run needs of the queue.
type RunLog interface {
	catalog.Log
	// Info describes the log now.
	Info(ctx context.Context) (queue.TopicInfo, error)
	// Scan calls fn with a partition's records from an offset on, up to one.
	// An error of fn ends it.
	Scan(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error
}

// Job is the work of a run besides the protocol. All of it may be cut short
// anywhere, and is then done again for the same run.
type Job interface {
	// Cover returns when the archive holds every record below the vector. What
	// can no longer be had is an error: there is no switch to an archive with a
	// hole.
	Cover(ctx context.Context, run store.Run) error
	// Compute makes the views of the run, durable and complete, and returns the
	// name of the result, which becomes that of the run.
	Compute(ctx context.Context, run store.Run) (views string, err error)
	// Check opens the views and reports what is wrong with them.
	Check(ctx context.Context, run store.Run) error
	// Keep removes the views of all runs with a number below next but these, as far
	// as nobody reads them. Others may have been made since the pointer was read.
	Keep(ctx context.Context, runs []store.Run, next uint32) error
}

// Runs does batch runs over one store. Safe for concurrent use; one run at a
// time. Zero values of the last group are defaults.
type Runs struct {
	Store store.Store
	Log   RunLog
	Job   Job
	Owner string // in words: host and process; another for each process
	// CheckSettings is what the processors' operator has (record.Rules): it decides
	// which markers are rejected. Nil takes all.
	CheckSettings func(operator string) error
	// Trust is that of the processors; nil: every internal record counts.
	Trust func() *record.Trust

	// DropAfter is the longest deadline of a query: so long a generation is
	// kept after it has left the list. 0 is right where a reader is a snapshot.
	DropAfter time.Duration
	// Lease is how long a silent run is left to its owner; 0 means that no other
	// process can have one, so a run found in the pointer is dead.
	Lease time.Duration
	Now   func() time.Time                                 // nil: the wall clock
	Wait  func(ctx context.Context, d time.Duration) error // nil: a timer
	Step  func(step string, run uint32)                    // told before each step; may be nil
	// Compare is told of the pointers before and after a switch, while the store
	// still has the generations of both. Its error is logged. May be nil.
	Compare func(ctx context.Context, before, after store.Pointer) error
	Logger  *slog.Logger // nil: none

	mu sync.Mutex // held while a run works in this process
}

// attempt is one try at a run. It owns the pointer as its last change left it.
type attempt struct {
	*Runs
	run  uint32 // its number
	mu   sync.Mutex
	p    store.Pointer
	lost error // why the pointer is no longer this attempt's
}

// Run does a batch run: a new one, or the one that failed last. It returns the
// run that queries use now. ErrRunning means that another works.
func (r *Runs) Run(ctx context.Context) (store.Run, error) {
	if !r.mu.TryLock() {
		return store.Run{}, fmt.Errorf("%w in this process: wait for its end", ErrRunning)
	}
	defer r.mu.Unlock()
	a, err := r.take(ctx)
	if err != nil {
		return store.Run{}, err
	}
	work, cancel := context.WithCancelCause(ctx)
	renewing := a.keepRenewing(work, cancel)
	run, err := a.do(work)
	if cause := context.Cause(work); err != nil && cause != nil && !errors.Is(err, cause) {
		err = errors.Join(err, cause)
	}
	cancel(nil)
	<-renewing
	if err != nil {
		a.release(context.WithoutCancel(ctx), err)
		return store.Run{}, fmt.Errorf("batch run %d: %w", a.number(), err)
	}
	return run, r.Retire(ctx)
}

func (a *attempt) number() uint32 { return a.run }

// take makes the failed run this attempt's, or takes a new number.
func (r *Runs) take(ctx context.Context) (*attempt, error) {
	info, err := r.Log.Info(ctx)
	if err != nil {
		return nil, err
	}
	p, err := catalog.Update(ctx, r.Store, func(p *store.Pointer) (bool, error) {
		if len(p.Generations) == 0 {
			return false, catalog.ErrNoGeneration
		}
		if err := r.leased(p.Running); err != nil {
			return false, err
		}
		if !p.Marked && (p.Running == nil || p.Running.Number != catalog.Newest(p)) {
			// A change of settings was cut short: its markers come first.
			if err := catalog.AppendMarkers(ctx, r.Log, info.Partitions, p); err != nil {
				return false, err
			}
			p.Marked = true
		}
		if !canResume(p) {
			p.Running = &store.Running{Run: store.Run{Number: p.Next, Started: r.now().UnixMilli()}}
			p.Next++
		}
		p.Running.Owner, p.Running.Renewed, p.Running.Failed = r.Owner, r.now().UnixMilli(), ""
		r.step("take", p.Running.Number)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return &attempt{Runs: r, run: p.Running.Number, p: p}, nil
}

// leased reports whether another process works on a run.
func (r *Runs) leased(running *store.Running) error {
	if running == nil || running.Owner == "" || running.Owner == r.Owner || r.Lease == 0 {
		return nil
	}
	silent := r.now().Sub(time.UnixMilli(running.Renewed))
	if silent >= r.Lease {
		return nil
	}
	return fmt.Errorf("%w: run %d, by %s; it may be taken over when it has been silent for %v (now %v)",
		ErrRunning, running.Number, running.Owner, r.Lease, silent.Round(time.Second))
}

// canResume reports whether the run in the pointer can go on under its number. One
// that never entered the list cannot, once another generation has entered it.
func canResume(p *store.Pointer) bool {
	if p.Running == nil {
		return false
	}
	n := p.Running.Number
	return slices.Contains(p.Generations, n) || n > p.Generations[len(p.Generations)-1]
}

// do goes through the steps from where the run stands.
func (a *attempt) do(ctx context.Context) (store.Run, error) {
	n := a.number()
	if !slices.Contains(a.p.Generations, n) {
		a.step("table", n)
		if err := a.Store.CreateGeneration(ctx, n); err != nil {
			return store.Run{}, fmt.Errorf("table of generation %d: %w", n, err)
		}
		a.step("list", n)
		if err := a.swap(ctx, func(p *store.Pointer) { catalog.List(p, n) }); err != nil {
			return store.Run{}, err
		}
	}
	if !a.p.Marked {
		if err := a.mark(ctx); err != nil {
			return store.Run{}, err
		}
	}
	if err := a.vector(ctx); err != nil {
		return store.Run{}, err
	}
	run := a.p.Running.Run
	if err := a.work(ctx, &run); err != nil {
		return store.Run{}, err
	}
	return run, a.switchOver(ctx, run)
}

// work has the views made.
func (a *attempt) work(ctx context.Context, run *store.Run) (err error) {
	a.step("archive", run.Number)
	if err := a.Job.Cover(ctx, *run); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	a.step("compute", run.Number)
	if run.Views, err = a.Job.Compute(ctx, *run); err != nil {
		return fmt.Errorf("views: %w", err)
	}
	a.step("check", run.Number)
	if err := a.Job.Check(ctx, *run); err != nil {
		return fmt.Errorf("damaged views: %w", err)
	}
	return nil
}

// mark appends the markers to the log as it is now.
func (a *attempt) mark(ctx context.Context) error {
	a.step("markers", a.number())
	info, err := a.Log.Info(ctx)
	if err != nil {
		return err
	}
	if err := catalog.AppendMarkers(ctx, a.Log, info.Partitions, &a.p); err != nil {
		return err
	}
	a.step("marked", a.number())
	return a.swap(ctx, func(p *store.Pointer) { p.Marked = true })
}

// switchOver moves the pointer to the run.
func (a *attempt) switchOver(ctx context.Context, run store.Run) error {
	epochs, err := a.Store.Epochs(ctx)
	if err != nil {
		return err
	}
	if !coversEpochs(run.Vector, epochs) {
		return fmt.Errorf("log epoch %d has begun meanwhile: do the run again", len(epochs)-1)
	}
	before := a.p
	a.step("switch", run.Number)
	if err := a.swap(ctx, func(p *store.Pointer) {
		p.Previous, p.Current, p.Running = p.Current, &run, nil
	}); err != nil {
		return err
	}
	a.step("compare", run.Number)
	if a.Compare == nil {
		return nil
	}
	if err := a.Compare(ctx, before, a.p); err != nil {
		a.logger().Warn("the accuracy of what this run replaces is not known", "run", run.Number, "err", err)
	}
	return nil
}

// swap changes the pointer if nobody else has since this attempt's last change.
func (a *attempt) swap(ctx context.Context, change func(p *store.Pointer)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost != nil {
		return a.lost
	}
	next, err := catalog.UpdateFrom(ctx, a.Store, a.p, change)
	if errors.Is(err, store.ErrConflict) {
		err = fmt.Errorf("%w: a second run, a rollback or a change of settings: do the run again", ErrOvertaken)
	}
	if err != nil {
		a.lost = err // whether it was done is not known either
		return err
	}
	a.p = next
	return nil
}

func (r *Runs) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (r *Runs) checkSettings(operator string) error {
	if r.CheckSettings == nil {
		return nil
	}
	return r.CheckSettings(operator)
}

func (r *Runs) trust() *record.Trust {
	if r.Trust == nil {
		return nil
	}
	return r.Trust()
}

func (r *Runs) step(name string, run uint32) {
	if r.Step != nil {
		r.Step(name, run)
	}
}

func (r *Runs) logger() *slog.Logger {
	if r.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Logger
}
