package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"

	"speedlayer/internal/descriptors"
)

// Config says where the embedded broker keeps its log and listens.
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
	// Failed is told when nothing more can be promised to be on disk: the owner
	// must close the broker. It is called once at most, and may be nil.
	Failed func(error)
}

// Broker is the embedded broker. Topics are made by Dial, as on a cluster.
type Broker struct {
	cluster *kfake.Cluster
	lock    *flock.Flock
	dir     *directorySync
	group   *groupSync
	local   *localListener
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
	if err := prepareRestart(filepath.Join(cfg.Dir, "log")); err != nil {
		return nil, errors.Join(fmt.Errorf("queue in %s: %w", cfg.Dir, err), lock.Unlock())
	}
	dir, opts, err := openSync(cfg.Dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("broker: %w", err), lock.Unlock())
	}
	b := &Broker{lock: lock, dir: dir, group: newGroupSync(dir.sync, cfg.failed)}
	listen := net.Listen
	if cfg.ListenFunc != nil {
		listen = cfg.ListenFunc
	}
	b.cluster, err = kfake.NewCluster(append(opts,
		kfake.NumBrokers(1),
		kfake.ClusterID("speedlayer"),
		kfake.DefaultNumPartitions(int(cfg.Partitions)),
		kfake.DataDir(filepath.Join(cfg.Dir, "log")),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": fmt.Sprint(segmentBytes),
			"message.max.bytes": fmt.Sprint(MaxMessageBytes),
		}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := listen(network, cfg.Listen)
			if err != nil {
				return nil, err
			}
			b.local = listenLocally(descriptors.Listen(l, cfg.Connections, "--kafka-listen", cfg.Logger))
			return &syncListener{Listener: b.local, group: b.group}, nil
		}),
		kfake.WithLogger(brokerLog{cfg.Logger}),
	)...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("queue in %s, listening on %s: %w", cfg.Dir, cfg.Listen, err), dir.close(), lock.Unlock())
	}
	return b, nil
}

// failed reports a sync that failed.
func (c *Config) failed(err error) {
	if c.Logger != nil {
		c.Logger.Error("broker: appends are no longer acknowledged", "err", err)
	}
	if c.Failed != nil {
		c.Failed(fmt.Errorf("broker: the log's file system failed, and what it had not written may be lost: %w", err))
	}
}

// Addr is where the broker listens.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// Close stops the broker; what it acknowledged is on disk already.
func (b *Broker) Close() error {
	b.group.close()
	b.cluster.Close()
	return errors.Join(b.dir.close(), b.lock.Unlock())
}

// brokerLog passes the broker's messages on.
type brokerLog struct{ log *slog.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if l.log == nil {
		return
	}
	switch level {
	case kfake.LogLevelError:
		l.log.Error("broker: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("broker: " + fmt.Sprintf(format, args...))
	}
}
