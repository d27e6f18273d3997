package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"speedlayer/internal/descriptors"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/store/pebble"
)

// openBackends opens the store and the queue, embedded or not. On a cluster nothing
// is written before both were checked.
func (n *Node) openBackends(ctx context.Context) (err error) {
	if n.opts.embedded() {
		if err := n.lockData(); err != nil {
			return err
		}
	}
	if len(n.opts.Kafka.Brokers) == 0 {
		var opening errgroup.Group // side by side: after a crash each takes a while
		opening.Go(func() error { return n.openStore(ctx) })
		opening.Go(n.startBroker)
		if err := opening.Wait(); err != nil {
			return err
		}
		n.queue, err = queue.Dial(ctx, n.queueConfig())
		return err
	}
	if err := n.connect(ctx, "Kafka on "+strings.Join(n.Brokers(), ","), func(ctx context.Context) (err error) {
		n.queue, err = queue.Connect(ctx, n.queueConfig())
		return err
	}); err != nil {
		n.queue = nil
		return err
	}
	if err := n.openStore(ctx); err != nil {
		return err
	}
	return n.queue.MakeTopics(ctx)
}

func (n *Node) queueConfig() queue.Config {
	c := n.opts.Kafka
	c.Brokers, c.Partitions, c.Logger = n.Brokers(), n.opts.Partitions, n.opts.Logger
	if n.broker != nil {
		c.Dialer, c.Repair = n.broker.Dialer(), true
	}
	if n.broker == nil && n.opts.Roles.has(RoleProcessor) {
		c.Group = n.opts.Group
	}
	return c
}

// Brokers is where the queue is reached.
func (n *Node) Brokers() []string {
	if n.broker != nil {
		return []string{n.broker.Addr()}
	}
	return n.opts.Kafka.Brokers
}

// lockData makes the directory this process's alone.
func (n *Node) lockData() error {
	if err := openDataDir(n.opts.Data); err != nil {
		return err
	}
	n.lock = flock.New(filepath.Join(n.opts.Data, "LOCK"), flock.SetPermissions(0o600))
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

func (n *Node) openStore(ctx context.Context) (err error) {
	if n.opts.OpenStore != nil {
		return n.connect(ctx, n.opts.StoreName, func(ctx context.Context) error {
			n.store, err = n.opts.OpenStore(ctx)
			return err
		})
	}
	st, err := pebble.Open(pebble.Options{Dir: filepath.Join(n.opts.Data, "store"), MaxOpenFiles: descriptors.Here().Store, Logger: n.opts.Logger})
	if err != nil {
		return err
	}
	n.store = st
	return nil
}

func (n *Node) startBroker() (err error) {
	n.broker, err = embedded.Start(embedded.Config{
		Dir: filepath.Join(n.opts.Data, "queue"), Listen: n.opts.KafkaListen, Partitions: n.opts.Partitions, Logger: n.opts.Logger,
		Connections: descriptors.Here().Kafka, Failed: n.fail,
		Produce: []string{queue.TopicPageviews}, Read: []string{queue.TopicPageviews, queue.TopicEquivs, queue.TopicRejected},
	})
	if op := new(net.OpError); errors.As(err, &op) && op.Op == "listen" {
		return &AddressError{"kafka-listen", n.opts.KafkaListen, op}
	}
	return err
}

// closeBackends is the inverse of openBackends, as far as that came.
func (n *Node) closeBackends() error {
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

// Target describes in one line which queue, data directory and store the node uses.
func (n *Node) Target() string {
	target := fmt.Sprintf("Kafka on %s", strings.Join(n.Brokers(), ","))
	if n.opts.embedded() {
		target += ", data in " + n.opts.Data
	}
	if n.opts.shared() {
		target += ", store " + n.opts.StoreName
	}
	return target
}
