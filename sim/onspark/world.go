package onspark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"speedlayer/internal/child"
	"speedlayer/internal/devcluster"
	"speedlayer/sim/torture"
)

// Config says what to do to what. All but Log is required.
type Config struct {
	Program string              // path of speedlayer
	Dir     string              // for data, logs and the checkpoint
	Cluster *devcluster.Cluster // with Kafka, HBase and Spark, and nothing in them
	Prefix  string              // of the store's tables
	Seed    uint64
	Faults  int
	Kinds   []Kind
	Rate    int       // pageviews a second, of all clients
	Log     io.Writer // a line for each fault; nil is none
}

// world is what runs: Spark's driver, and a process that takes pageviews and answers.
type world struct {
	cfg     Config
	spawner *devcluster.Spawner
	http    *http.Client
	store   string
	url     string

	serve, driver *child.Process
}

// Times of the world.
const (
	poll     = 200 * time.Millisecond
	recovery = 8 * time.Minute // after a fault, until everything is queryable
)

// open starts both processes.
func open(ctx context.Context, cfg Config) (_ *world, err error) {
	w := &world{cfg: cfg, spawner: devcluster.NewSpawner(), store: "hbase://" + cfg.Cluster.ZooKeeper() + "/hbase?prefix=" + cfg.Prefix,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err := w.startServe(ctx); err != nil {
		return nil, err
	}
	return w, w.startDriver()
}

func (w *world) brokers() string { return strings.Join(w.cfg.Cluster.Brokers(), ",") }

func (w *world) startServe(ctx context.Context) (err error) {
	cmd := exec.Command(w.cfg.Program, "serve", "--roles", "collector,query", "--listen", "127.0.0.1:0", "--kafka", w.brokers(),
		"--store", w.store, "--partitions", "4", "--batch-dir", filepath.Join(w.cfg.Dir, "batch"))
	if w.serve, err = child.StartLogging("serve", cmd, w.spawner.Start, filepath.Join(w.cfg.Dir, "serve.log")); err != nil {
		return err
	}
	w.url, err = w.serve.URL(ctx)
	return err
}

// startDriver submits the query. Its process, and what that starts, is a process
// group of its own.
func (w *world) startDriver() (err error) {
	args := []string{"spark", "submit", "--master", w.cfg.Cluster.SparkURL(), "--dev-cluster", w.cfg.Cluster.Dir(), "--kafka", w.brokers(),
		"--store", w.store, "--checkpoint", "file://" + w.checkpoint(), "--snapshot-every", "2s", "--"}
	for _, conf := range []string{
		"spark.executor.memory=512m", "spark.driver.memory=512m", "spark.network.timeout=20s", "spark.executor.heartbeatInterval=2s",
		"spark.storage.blockManagerHeartbeatTimeoutMs=20000", "spark.network.timeoutInterval=2s", "spark.locality.wait=500ms",
		"spark.speculation=true", "spark.speculation.interval=200ms", "spark.speculation.minTaskRuntime=2s",
		"spark.speculation.quantile=0.5", "spark.log.level=INFO", "spark.speculation.multiplier=2",
	} {
		args = append(args, "--conf", conf)
	}
	w.driver, err = child.StartLogging("driver", exec.Command(w.cfg.Program, args...), w.spawner.Start, filepath.Join(w.cfg.Dir, "driver.log"))
	return err
}

func (w *world) checkpoint() string { return filepath.Join(w.cfg.Dir, "checkpoint") }

// killDriver ends the driver, and all that it started on this machine, at once.
func (w *world) killDriver() error {
	if w.driver == nil {
		return nil
	}
	if err := syscall.Kill(-w.driver.PID(), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-w.driver.Done()
	return nil
}

// caughtUp waits until everything in the log is queryable. A driver that has ended
// is an error: nothing here may end a query.
func (w *world) caughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	driver := w.driver
	stop := make(chan struct{})
	defer close(stop)
	go func() { // ends with the wait
		select {
		case <-driver.Done():
			cancel()
		case <-stop:
		}
	}()
	err := torture.Answers(ctx, w.http, w.url, poll)
	if err == nil {
		err = torture.CaughtUp(ctx, w.http, w.url, poll)
	}
	if err != nil && !driver.Running() {
		return errors.Join(err, driver.Ended())
	}
	if err != nil && !w.serve.Running() {
		return errors.Join(err, w.serve.Ended())
	}
	return err
}

// close ends whatever runs.
func (w *world) close() error {
	err := w.killDriver()
	if w.serve != nil {
		err = errors.Join(err, w.serve.Kill())
	}
	w.spawner.Close()
	w.http.CloseIdleConnections()
	return err
}

// output runs speedlayer to its end; finds is that of child.Output.
func (w *world) output(ctx context.Context, finds bool, args ...string) ([]byte, error) {
	return child.Output(ctx, exec.Command(w.cfg.Program, args...), finds)
}

// driverLog is what the driver printed so far.
func (w *world) driverLog() (string, error) {
	text, err := os.ReadFile(filepath.Join(w.cfg.Dir, "driver.log"))
	return string(text), err
}

// wait is a pause that ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until asks until there is no error, or the time is over.
func until(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if waited := wait(ctx, poll); waited != nil {
			return fmt.Errorf("%s: %w", what, errors.Join(err, waited))
		}
	}
}
