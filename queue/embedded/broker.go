package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"

	"speedlayer/internal/descriptors"
)

// Config defines where the embedded broker keeps its log and listens.
type Config struct {
	Dir        string
	Listen     string // host:port; "" is any port on the loopback
	Partitions int32  // of topics made without a number; 0 is 8
	Logger     *slog.Logger

	// ListenFunc opens the port; nil is TCP. See queue.Config.Dialer.
	ListenFunc func(network, address string) (net.Listener, error)
	// Connections bounds those that the port has open at a time; 0 is 1,000. Clients
	// of Dialer are not among them.
	Connections int
	segment     int // bytes of a file of the log; 0 is segmentBytes
	// Trusted lets programs at the port do all that the system itself may: they are
	// its other processes, as on a cluster that checks nothing.
	Trusted bool
	// Produce and Read are the topics that other programs may append to, and those
	// that they may read. Nil is none.
	Produce, Read []string
	// Failed is told when nothing more can be promised to be on disk: the owner
	// must close the broker. It is called once at most, and may be nil.
	Failed func(error)
}

// Broker is the embedded broker. Topics are made by Dial, as on a cluster.
type Broker struct {
	cfg   Config
	lock  *flock.Flock
	dir   *directorySync
	group *groupSync
	out   *outside
	opts  []kfake.Opt // of openSync

	controlling sync.Mutex // held while the copy of control files is written

	mu struct {
		sync.Mutex
		cluster *kfake.Cluster // nil after Close, or a Repair that failed
		local   *localListener // its port
		damage  []Damage
	}
}

// MaxMessageBytes is the largest batch of records that the broker takes.
const MaxMessageBytes = 4<<20 + 1<<16

// segmentBytes is how large a file of the log grows. The broker frees disk
// space by whole files, and at its start reads each into memory, whole.
const segmentBytes = 32 << 20

// Start starts the broker with what its directory holds.
func Start(cfg Config) (*Broker, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = 8
	}
	if cfg.segment == 0 {
		cfg.segment = segmentBytes
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Connections == 0 {
		cfg.Connections = 1000
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, "LOCK"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("queue in %s: %w", cfg.Dir, err)
	}
	if !held {
		return nil, fmt.Errorf("queue in %s is held by another process", cfg.Dir)
	}
	b := &Broker{cfg: cfg, lock: lock}
	b.out = newOutside(cfg.Logger)
	b.group = newGroupSync(func() error { return b.dir.sync() }, cfg.failed)
	b.group.changed = b.sealTopics
	if b.dir, b.opts, err = openSync(cfg.Dir); err != nil {
		return nil, errors.Join(fmt.Errorf("broker: %w", err), lock.Unlock())
	}
	if err := b.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("queue in %s: %w", cfg.Dir, err), b.dir.close(), lock.Unlock())
	}
	return b, nil
}

// start repairs the log where it is damaged, and starts the broker on it.
func (b *Broker) start() error {
	if err := b.checkControl(); err != nil {
		return err
	}
	if err := b.repairLog(); err != nil {
		return err
	}
	if err := b.sealTopics(); err != nil {
		return err
	}
	listen := net.Listen
	if b.cfg.ListenFunc != nil {
		listen = b.cfg.ListenFunc
	}
	opts := slices.Clone(b.opts)
	if !b.cfg.Trusted {
		access, err := restrict(filepath.Join(b.cfg.Dir, "log"), accessRules(b.cfg.Produce, b.cfg.Read))
		if err != nil {
			return err
		}
		opts = append(opts, access...)
	}
	for {
		err := b.serve(opts, listen)
		path, why := b.unreadable(err)
		if path == "" {
			return err
		}
		r := restorer{dir: b.dataDir(), b: b}
		if err := r.restore(path, why, nil); err != nil {
			return err
		}
	}
}

// serve starts the broker on a log that is as it must be.
func (b *Broker) serve(opts []kfake.Opt, listen func(network, address string) (net.Listener, error)) error {
	var local *localListener
	cluster, err := kfake.NewCluster(append(slices.Clone(opts),
		kfake.NumBrokers(1),
		kfake.ClusterID("speedlayer"),
		kfake.DefaultNumPartitions(int(b.cfg.Partitions)),
		kfake.DataDir(filepath.Join(b.cfg.Dir, "log")),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": fmt.Sprint(b.cfg.segment),
			"message.max.bytes": fmt.Sprint(MaxMessageBytes),
		}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := listen(network, b.cfg.Listen)
			if err != nil {
				return nil, err
			}
			l = descriptors.Listen(l, b.cfg.Connections, "--kafka-listen", b.cfg.Logger)
			if !b.cfg.Trusted {
				l = outsideListener{l, b.out}
			}
			local = listenLocally(l)
			return &syncListener{Listener: local, group: b.group}, nil
		}),
		kfake.WithLogger(brokerLog{b.cfg.Logger}),
	)...)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", b.cfg.Listen, err)
	}
	cluster.ControlKey(listGroupsKey, lowerTypes)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.cluster, b.mu.local = cluster, local
	return nil
}

// Repair stops the broker, repairs its log where it is damaged, and starts it
// again on the same port: what is damaged while the broker runs is noticed by
// those who read it. Clients find a broker that is away for as long as a start
// takes. After an error the broker is closed.
func (b *Broker) Repair() error {
	b.mu.Lock()
	cluster := b.mu.cluster
	if cluster == nil {
		b.mu.Unlock()
		return net.ErrClosed
	}
	b.cfg.Listen = cluster.ListenAddrs()[0]
	b.mu.cluster = nil
	b.mu.Unlock()
	cluster.Close()
	if err := b.start(); err != nil {
		return fmt.Errorf("queue in %s: starting again after damage: %w", b.cfg.Dir, err)
	}
	return nil
}

// failed reports a sync that failed.
func (c *Config) failed(err error) {
	c.Logger.Error("broker: appends are no longer acknowledged", "err", err)
	if c.Failed != nil {
		c.Failed(fmt.Errorf("broker: the log's file system failed, and what it had not written may be lost: %w", err))
	}
}

// Addr is where the broker listens.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.local.Addr().String()
}

// Health is why the broker acknowledges nothing now; nil if it does.
func (b *Broker) Health() error { return b.group.health() }

// Close stops the broker; what it acknowledged is on disk already.
func (b *Broker) Close() error {
	b.group.close()
	b.mu.Lock()
	cluster := b.mu.cluster
	b.mu.cluster = nil
	b.mu.Unlock()
	var err error
	if cluster != nil {
		cluster.Close()
		err = b.sealStopped()
	}
	return errors.Join(err, b.dir.close(), b.lock.Unlock())
}

// brokerLog passes the broker's messages on.
type brokerLog struct{ log *slog.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("broker: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("broker: " + fmt.Sprintf(format, args...))
	}
}
