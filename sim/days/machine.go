package days

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

var errStopped = errors.New("days: the broker is stopped")

// machine is where the system runs: broker, store, and up to two runners.
type machine struct {
	dir    string
	rng    *rand.Rand
	net    kfake.VirtualNetwork
	counts *counts
	wrap   func(store.Store) store.Store // breaks the store, or nil

	store store.Store
	epoch store.Epoch

	mu struct {
		sync.Mutex
		broker     *embedded.Broker
		queue      *queue.Client
		other      *kgo.Client // another program that writes to the topic
		partitions int32
	}
}

const address = "localhost:9092"

func newMachine(dir string, rng *rand.Rand, c *counts, wrap func(store.Store) store.Store) (*machine, error) {
	m := &machine{dir: dir, rng: rng, counts: c, wrap: wrap}
	m.mu.partitions = 1 + rng.Int32N(3)
	st, err := pebble.Open(pebble.Options{Dir: "store", FS: vfs.NewMem(), MemTableBytes: 1 << 20, CacheBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	m.store = st
	if err := m.startBroker(); err != nil {
		return nil, err
	}
	return m, m.dial()
}

func (m *machine) startBroker() error {
	b, err := embedded.Start(embedded.Config{Dir: m.dir, Listen: address, ListenFunc: m.net.Listen, Trusted: true})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.broker = b
	return nil
}

// stopBroker leaves the clients as they are: they come back when it does.
func (m *machine) stopBroker() error {
	m.mu.Lock()
	b := m.mu.broker
	m.mu.broker = nil
	m.mu.Unlock()
	return b.Close()
}

// dial connects the program, and another one.
func (m *machine) dial() error {
	q, err := queue.Dial(context.Background(), queue.Config{Brokers: []string{address}, Partitions: m.partitionsNow(), Dialer: m.net.DialContext})
	if err != nil {
		return err
	}
	other, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.Dialer(m.net.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(10*time.Second))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.queue, m.mu.other = q, other
	return err
}

func (m *machine) hangUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.queue.Close()
	m.mu.other.Close()
	m.mu.queue, m.mu.other = nil, nil
}

// close ends everything.
func (m *machine) close() error {
	m.hangUp()
	return errors.Join(m.stopBroker(), m.store.Close())
}

// client is the connection to the broker; errStopped while there is none.
func (m *machine) client() (*queue.Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.queue == nil {
		return nil, errStopped
	}
	return m.mu.queue, nil
}

func (m *machine) partitionsNow() int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.partitions
}

func (m *machine) produce(ctx context.Context, r *kgo.Record) error {
	m.mu.Lock()
	other := m.mu.other
	m.mu.Unlock()
	if other == nil {
		return errStopped
	}
	return other.ProduceSync(ctx, r).FirstErr()
}

// addPartitions makes the topic wider while everything runs.
func (m *machine) addPartitions() error {
	m.mu.Lock()
	other := m.mu.other
	m.mu.Unlock()
	_, err := kadm.NewClient(other).CreatePartitions(context.Background(), 1, queue.TopicPageviews)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.partitions++
	return err
}

// newTopic deletes the topic and creates it again, with another number of
// partitions perhaps.
func (m *machine) newTopic() error {
	m.mu.Lock()
	other := m.mu.other
	m.mu.partitions = 1 + m.rng.Int32N(3)
	m.mu.Unlock()
	if _, err := kadm.NewClient(other).DeleteTopics(context.Background(), queue.TopicPageviews); err != nil {
		return err
	}
	m.hangUp()
	return m.dial()
}

// process is one process of the system: a runner, its store, its end.
type process struct {
	store    *slowStore
	progress *microbatch.Progress
	cancel   context.CancelFunc
	done     chan struct{} // closed when the runner has ended
	err      error         // its result
}

// start does what the program does at start.
func (m *machine) start(s *record.Settings) (*process, error) {
	ctx := context.Background()
	q, err := m.client()
	if err != nil {
		return nil, err
	}
	info, err := q.Info(ctx)
	if err != nil {
		return nil, err
	}
	settings, err := catalog.Settings(ctx, m.store, randomSettings(m.rng))
	if err != nil {
		return nil, err
	}
	epoch, reason, err := catalog.EnsureEpoch(ctx, m.store, info, settings)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		m.counts.add("log epochs", 1)
	}
	if s == nil {
		s = &settings
	}
	_, began, err := catalog.EnsureSettings(ctx, m.store, q, info.Partitions, *s)
	if err != nil {
		return nil, err
	}
	if began {
		m.counts.add("generations by settings", 1)
	}
	m.epoch = epoch
	under := m.store
	if m.wrap != nil {
		under = m.wrap(under)
	}
	p := &process{store: newSlowStore(under, rand.New(rand.NewPCG(m.rng.Uint64(), 0)), m.counts),
		progress: microbatch.NewProgress(epoch.Starts), done: make(chan struct{})}
	run, cancel := context.WithCancel(ctx)
	p.cancel = cancel
	r := microbatch.NewRunner(microbatch.RunnerConfig{Store: p.store, Queue: q, Epoch: epoch, Progress: p.progress,
		Operator: func() microbatch.Operator {
			m.counts.add("take-overs", 1)
			return view.NewPageviews(view.Limits{Slots: 512, Bytes: 256 << 10, Deltas: store.Unlimited, Additions: true})
		},
		Logger: slog.New(slog.DiscardHandler), SnapshotEvery: time.Minute,
		Snapshotted: func(int32, int64) { m.counts.add("snapshots", 1) },
		Observe:     func(microbatch.CommitStats) { m.counts.add("commits", 1) },
	})
	go func() { // ends with cancel
		defer close(p.done)
		p.err = r.Run(run, 8*time.Second)
	}()
	return p, nil
}

// stop asks the process to end, as SIGTERM does, and may be called again; kill leaves it no time, and
// nothing that it does reaches the store any more.
func (p *process) stop() error {
	p.cancel()
	<-p.done
	return p.err
}

func (p *process) kill() error {
	p.store.kill()
	return p.stop()
}

// randomSettings remember pairs longer than anything takes here, so that each
// acknowledged pageview counts exactly once, and visits for as long as they like.
func randomSettings(rng *rand.Rand) record.Settings {
	s := view.Defaults()
	s.DedupeWindow = (24 * time.Hour).Milliseconds() + rng.Int64N(1<<20)
	s.DedupeEntries = 1 << 16
	v := view.DefaultSettings()
	v.VisitsWindow = int64(1+rng.IntN(300)) * 60_000
	v.VisitsEntries = 10 + rng.IntN(1000)
	s.Operator = v.String()
	return s
}
