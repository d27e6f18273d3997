package onspark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"

	"speedlayer/internal/devcluster"
	"speedlayer/queue"
)

// inject does what a fault says. When it returns, everything runs again or is about
// to.
func (w *world) inject(ctx context.Context, f Fault) error {
	switch f.Kind {
	case KillGo, KillExecutor, PauseExecutor:
		return w.toExecutor(ctx, f)
	case SlowTasks:
		return w.slow(ctx, f.Which)
	case AddPartition:
		return w.addPartition(ctx)
	case KillDriver:
		return w.restartDriver(false)
	case NewCheckpoint:
		return w.restartDriver(true)
	case KillSparkWorker:
		name := devcluster.SparkWorker(1 + f.Which%devcluster.SparkWorkers)
		if err := w.cfg.Cluster.Kill(name); err != nil {
			return err
		}
		return w.cfg.Cluster.Launch(name)
	case KillRegionServer:
		return w.killServer(devcluster.RegionServer(1))
	case KillBroker:
		return w.killServer(devcluster.Broker(1))
	case BatchRun:
		return w.batchRun(ctx, f)
	}
	return fmt.Errorf("no such fault: %q", f.Kind)
}

func (w *world) killServer(name string) error {
	if err := w.cfg.Cluster.Kill(name); err != nil {
		return err
	}
	return w.cfg.Cluster.Launch(name)
}

// restartDriver kills the driver, and starts it with its checkpoint or without.
func (w *world) restartDriver(fresh bool) error {
	err := w.killDriver()
	if fresh {
		err = errors.Join(err, os.RemoveAll(w.checkpoint()))
	}
	if err != nil {
		return err
	}
	return w.startDriver()
}

// toExecutor does something to an executor that works.
func (w *world) toExecutor(ctx context.Context, f Fault) error {
	var e executor
	if err := until(ctx, "an executor at work", func() (err error) {
		e, err = w.working(f.Which)
		return err
	}); err != nil {
		return err
	}
	switch f.Kind {
	case KillGo:
		return syscall.Kill(e.beside, syscall.SIGKILL)
	case KillExecutor:
		return syscall.Kill(e.pid, syscall.SIGKILL)
	}
	return w.pause(ctx, e)
}

// speculated is what the driver's log has for each task of which it starts a copy.
const speculated = "as speculatable"

// slow stops the process beside an executor, so that its tasks take for ever, until
// Spark has begun copies of them on the other; then it goes on, with the state that
// it had, beside the copies. One that has no task, or that its executor has given up
// meanwhile, is followed by another.
func (w *world) slow(ctx context.Context, which int) error {
	before, err := w.driverLog()
	if err != nil {
		return err
	}
	stopped := 0
	waited := until(ctx, "a copy of a slow task", func() error {
		now, err := w.driverLog()
		if err != nil || strings.Count(now, speculated) > strings.Count(before, speculated) {
			return err
		}
		if stopped == 0 || gone(stopped) {
			e, err := w.working(which)
			if err != nil {
				return err
			}
			which++
			stopped = e.beside
			if err := syscall.Kill(stopped, syscall.SIGSTOP); err != nil {
				return err
			}
		}
		return errors.New("the driver has begun no copy")
	})
	if err := syscall.Kill(stopped, syscall.SIGCONT); stopped != 0 && err != nil && !errors.Is(err, syscall.ESRCH) {
		return errors.Join(waited, err)
	}
	return waited
}

// pause stops an executor and the process beside it past Spark's time-out: others
// have its partitions then. The Go process goes on first, with what it had: a zombie
// that writes, until it notices that nobody asks it any more.
func (w *world) pause(ctx context.Context, e executor) error {
	before, err := w.driverLog()
	if err != nil {
		return err
	}
	if err := errors.Join(syscall.Kill(e.pid, syscall.SIGSTOP), syscall.Kill(e.beside, syscall.SIGSTOP)); err != nil {
		return err
	}
	const lost = "Lost executor"
	waited := until(ctx, "an executor is given up", func() error {
		now, err := w.driverLog()
		if err == nil && strings.Count(now, lost) == strings.Count(before, lost) {
			err = errors.New("the driver still counts on it")
		}
		return err
	})
	for _, pid := range []int{e.beside, e.pid} { // either may have been ended meanwhile
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			waited = errors.Join(waited, err)
		}
	}
	return errors.Join(waited, until(ctx, "the zombie ends", func() error {
		if !gone(e.beside) {
			return fmt.Errorf("process %d runs", e.beside)
		}
		return nil
	}))
}

// batchRun has a batch run begun, kills an executor, and waits until the run is
// complete: for that, every partition must be committed up to its marker.
func (w *world) batchRun(ctx context.Context, f Fault) error {
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	go func() { // ends with the command, which ctx ends
		_, err := w.output(ctx, false, "batch", "run", "--server", w.url)
		done <- err
	}()
	killed := w.toExecutor(ctx, Fault{Kind: KillExecutor, Which: f.Which})
	return errors.Join(killed, <-done)
}

// addPartition gives the topic one more partition: a log epoch ends, and its last
// ranges with it.
func (w *world) addPartition(ctx context.Context) error {
	client, err := queue.Connect(ctx, queue.Config{Brokers: w.cfg.Cluster.Brokers()})
	if err != nil {
		return err
	}
	defer client.Close()
	info, err := client.Info(ctx)
	if err != nil {
		return err
	}
	before, err := w.newestEpoch(ctx)
	if err != nil {
		return err
	}
	if err := client.AddPartitions(ctx, info.Partitions+1); err != nil {
		return err
	}
	// What the ended epoch did not commit is in the next one: until that begins, the
	// lag of the old one never ends.
	return until(ctx, "the next log epoch", func() error {
		now, err := w.newestEpoch(ctx)
		if err == nil && now == before {
			err = fmt.Errorf("log epoch %d is the newest", now)
		}
		return err
	})
}

// newestEpoch is the newest log epoch of which the process that answers knows a
// partition.
func (w *world) newestEpoch(ctx context.Context) (newest uint32, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/v1/status", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	var status struct {
		Partitions []struct{ Epoch uint32 }
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return 0, err
	}
	for _, p := range status.Partitions {
		newest = max(newest, p.Epoch)
	}
	return newest, nil
}
