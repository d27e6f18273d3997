package topology

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/record"
	"speedlayer/store"
)

// Config defines where a topology runs. Data alone is enough: queue and store are
// embedded then, in that directory.
type Config struct {
	Data       string       // directory of what is embedded, made if missing
	Partitions int32        // of topics that must be made; 0 is 4
	Kafka      queue.Config // how to reach a cluster; no brokers: the embedded one
	// OpenStore opens a store that processes share, for each topic of the topology;
	// nil is Pebble in Data. The job closes it.
	OpenStore func(ctx context.Context, topic string) (store.Store, error)
	// Group is the consumer group of all processes of the job that share a store; ""
	// is the topology's name.
	Group string
	// Settings bound what dedupe remembers of nonces, for a fresh store; the zero value
	// has the defaults, an hour and 512 Ki records in each partition.
	Settings record.Settings
	Logger   *slog.Logger // nil: nothing is logged

	SnapshotEvery time.Duration // between snapshots of operator state; 0 is 5 s
	MaxDelay      time.Duration // until a commit under load; 0 is 100 ms
	MaxBatch      int           // records of one commit at most; 0 is 131,072
}

func (c *Config) setDefaults(t *Topology) {
	if c.Partitions == 0 {
		c.Partitions = 4
	}
	if c.Group == "" {
		c.Group = t.name
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// stopTime bounds a graceful stop.
const stopTime = 8 * time.Second

// Job is a topology that runs. Close it.
type Job struct {
	t      *Topology
	cfg    Config
	lock   *flock.Flock     // of Data
	broker *embedded.Broker // nil with a cluster
	stages []*running
	parts  []int32 // of each stage's topic

	cancel context.CancelFunc
	work   *errgroup.Group
	ended  context.Context // with the first failure as its cause
	end    context.CancelCauseFunc

	closing sync.Once
	closed  error
}

// running is a stage at work.
type running struct {
	*stage
	job      *Job
	store    store.Store
	queue    *queue.Client
	progress *microbatch.Progress
	epoch    struct {
		sync.Mutex
		now store.Epoch
	}
}

// Run starts a topology and returns when it works. What an earlier process of the
// same job has done is gone on from, wherever that was killed.
//
// A topology that has changed since is told from what the store holds, step by step.
// New and removed steps begin a generation: the others keep their results, and a new
// one begins with the records that follow. A step that means something else than its
// stored results (another kind, another path from the source, another window) is
// refused with an error that names it: give it another name.
func Run(ctx context.Context, t *Topology, cfg Config) (j *Job, err error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	cfg.setDefaults(t)
	j = &Job{t: t, cfg: cfg, cancel: func() {}}
	j.ended, j.end = context.WithCancelCause(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			j, err = nil, errors.Join(err, j.Close())
		}
	}()
	if err := j.open(ctx); err != nil {
		return j, err
	}
	for _, s := range j.stages {
		if err := s.prepare(ctx); err != nil {
			return j, fmt.Errorf("topology %s, topic %s: %w", t.name, s.topic, err)
		}
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j.cancel = cancel
	j.work, run = errgroup.WithContext(run)
	for _, s := range j.stages {
		j.work.Go(func() error {
			err := s.process(run)
			if err != nil {
				err = fmt.Errorf("topology %s, topic %s: %w", t.name, s.topic, err)
				j.end(err)
			}
			return err
		})
	}
	return j, nil
}

// Done is closed when the job has failed; Err tells why.
func (j *Job) Done() <-chan struct{} { return j.ended.Done() }

// Err returns why the job failed, or nil while it works.
func (j *Job) Err() error {
	if j.ended.Err() == nil {
		return nil
	}
	return context.Cause(j.ended)
}

// Close commits what was processed and ends the job. It returns the job's failure,
// if there was one. Closing twice is harmless.
func (j *Job) Close() error {
	j.closing.Do(func() {
		j.cancel()
		if j.work != nil {
			j.closed = j.work.Wait()
		}
		j.closed = errors.Join(j.closed, j.closeBackends())
	})
	return j.closed
}

// Settle returns when all that the topics hold now has its effect in what queries
// read, through all stages.
func (j *Job) Settle(ctx context.Context) error {
	wait, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(j.ended, func() { cancel(context.Cause(j.ended)) })()
	for _, s := range j.stages {
		if err := s.settle(wait); err != nil {
			return errors.Join(err, context.Cause(wait))
		}
	}
	return nil
}

// settle waits until the stage is committed up to where its topic ends now. What it
// forwards is acknowledged by then.
func (s *running) settle(ctx context.Context) error {
	info, err := s.queue.Info(ctx)
	if err != nil {
		return err
	}
	starts := s.epochNow().Starts
	var last []queue.Position
	for part, end := range info.Stable {
		if part >= len(starts) || end > starts[part] {
			last = append(last, queue.Position{Partition: int32(part), Offset: end - 1})
		}
	}
	return s.progress.Wait(ctx, last)
}

func (s *running) epochNow() store.Epoch {
	s.epoch.Lock()
	defer s.epoch.Unlock()
	return s.epoch.now
}

// Committed is the offset below which each partition of the source is in the results.
func (j *Job) Committed() []int64 { return j.stages[0].progress.Committed() }

// Append appends records to the source's topic, encoded as its codec decodes them,
// and returns when they are durable. After an error some of them may be there: only
// with Nonce may they be sent again. See Feed for files.
func (j *Job) Append(ctx context.Context, records ...[]byte) error {
	m := make([]queue.Message, len(records))
	for i, value := range records {
		m[i].Value = value
		if j.t.key != nil {
			m[i].Person = j.t.key(value) // so that it lies where it belongs
		}
	}
	_, err := j.stages[0].queue.AppendSync(ctx, m)
	return err
}
