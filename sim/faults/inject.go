package faults

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"speedlayer/internal/devcluster"
)

// Silence after which others take over: of a processor (serve's default), which
// a pause must outlast.
const pauseFor = 8 * time.Second

// inject does what a fault says, and mends it: when it returns everything runs
// again, and may be far behind.
func (w *world) inject(ctx context.Context, f Fault) error {
	switch f.Kind {
	case KillProcessor:
		return w.killNode(ctx, w.processors[f.Which%processors], f.For)
	case KillCollector:
		return w.killNode(ctx, w.collectors[f.Which%collectors], f.For)
	case KillBroker:
		return w.killServer(ctx, devcluster.Broker(1+f.Which%w.cfg.Brokers), 0)
	case KillRegionServer:
		return w.killServer(ctx, devcluster.RegionServer(1+f.Which%2), f.For)
	case KillMaster:
		return w.killServer(ctx, devcluster.Master, f.For)
	case PauseProcessor:
		return w.pause(ctx, w.processors[f.Which%processors])
	case CutKafka:
		return w.proxies.cut(ctx, f.For, "kafka-")
	case SlowKafka:
		return w.proxies.slow(ctx, f.For, "kafka-")
	case CutHBase:
		return w.proxies.cut(ctx, f.For, w.storeProxies()...)
	case SlowHBase:
		return w.proxies.slow(ctx, f.For, w.storeProxies()...)
	case TearCommit:
		return w.tear(ctx, w.processors[f.Which%processors], f.For)
	case PauseRegionServer:
		return w.pauseServer(ctx, devcluster.RegionServer(1+f.Which%2), f.For)
	case RestartAll:
		return w.restart(ctx)
	case KillCassandra, PauseCassandra, CutCassandra, SlowCassandra:
		return w.injectInCassandra(ctx, f)
	case KillRun, KillProcessorInRun, KillBothInRun, RegionServerInRun, RollBack:
		return w.injectInRun(ctx, f)
	}
	return fmt.Errorf("no such fault: %q", f.Kind)
}

func (w *world) killNode(ctx context.Context, n *node, gone time.Duration) error {
	if !n.running() {
		return n.ended()
	}
	if err := n.kill(); err != nil {
		return err
	}
	if err := wait(ctx, gone); err != nil {
		return err
	}
	if err := n.start(); err != nil {
		return err
	}
	return w.ready(ctx, n)
}

// tear kills a processor in the middle of a commit, which takes many round trips
// and so most of its time while each is slow.
func (w *world) tear(ctx context.Context, n *node, after time.Duration) error {
	slow, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { // ends with slow, which has no other end than stop
		done <- w.proxies.slow(slow, after+startTime, w.storeProxies()...)
	}()
	err := wait(ctx, after)
	if err := errors.Join(err, n.kill()); err != nil {
		return err
	}
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if err := n.start(); err != nil {
		return err
	}
	return w.ready(ctx, n)
}

// killServer kills a server of the cluster and starts it again. Others notice by
// its session.
func (w *world) killServer(ctx context.Context, name string, gone time.Duration) error {
	if err := w.cluster.Kill(name); err != nil {
		return err
	}
	if err := wait(ctx, gone); err != nil {
		return err
	}
	return w.cluster.Launch(name)
}

// pause makes a zombie: a processor that wakes, with the state and the batches
// that it had, when others have taken its partitions over.
func (w *world) pause(ctx context.Context, n *node) error {
	if err := n.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	waited := wait(ctx, pauseFor)
	if waited == nil {
		waited = w.leftAlone(ctx, n)
	}
	if err := n.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	return waited
}

// leftAlone waits until the group has no member on the node's behalf: others have
// its partitions then.
func (w *world) leftAlone(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Recovery)
	defer cancel()
	for {
		members, err := w.members(ctx)
		if err == nil && len(members) == processors-1 {
			return nil
		}
		if waited := wait(ctx, poll); waited != nil {
			return fmt.Errorf("%s sleeps, and nobody takes its partitions: members %v: %w", n.name, members, errors.Join(err, waited))
		}
	}
}

// serverSession is the silence after which a region server is taken for dead.
const serverSession = 10 * time.Second

// pauseServer makes a zombie of a region server, and waits until it has noticed.
func (w *world) pauseServer(ctx context.Context, name string, more time.Duration) error {
	if err := w.cluster.Pause(name); err != nil {
		return err
	}
	waited := wait(ctx, serverSession+more)
	if err := w.cluster.Resume(name); err != nil {
		return errors.Join(waited, err)
	}
	if waited != nil {
		return waited
	}
	err := w.retried(ctx, func() error {
		if w.cluster.Running(name) {
			return fmt.Errorf("%s was taken for dead, and does not end", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.cluster.Launch(name)
}

// restart kills everything at once, and starts it.
func (w *world) restart(ctx context.Context) error {
	for _, n := range w.nodes() {
		if err := n.kill(); err != nil {
			return err
		}
	}
	for _, name := range w.cluster.Names() {
		if err := w.cluster.Kill(name); err != nil {
			return err
		}
	}
	if err := w.cluster.LaunchAll(ctx); err != nil {
		return err
	}
	return w.startNodes(ctx)
}
