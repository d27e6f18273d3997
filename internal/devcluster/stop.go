package devcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// stopOrder: masters before region servers, which would else be taken for dead,
// and those on whom others rest last.
var stopOrder = []string{sparkPrefix, kafkaPrefix, cassandraPrefix, Master, "regionserver-", ZooKeeper, DataNode, NameNode}

// Stop asks every process to end, in order, kills those that do not, and unlocks
// the folder. The data stays.
func (c *Cluster) Stop(ctx context.Context) error {
	var errs []error
	for _, prefix := range stopOrder {
		var group errgroup.Group
		for _, name := range c.named(prefix) {
			group.Go(func() error { return c.procs[name].stop(ctx, stopTimeout) })
		}
		errs = append(errs, group.Wait())
	}
	return errors.Join(append(errs, c.KillAll())...)
}

// KillAll ends every process at once and unlocks the folder. The data stays, and
// so do processes of the folder that are not the cluster's.
func (c *Cluster) KillAll() error {
	var errs []error
	for name, p := range c.procs {
		errs = append(errs, p.kill())
		delete(c.state.Processes, name)
	}
	errs = append(errs, c.state.write(c.dir))
	c.release()
	return errors.Join(errs...)
}

// release gives up what the cluster holds beside its processes.
func (c *Cluster) release() {
	if c.lock != nil {
		_ = c.lock.Unlock() // the process's end would do it too
		c.lock = nil
	}
	if c.spawner != nil {
		c.spawner.Close()
		c.spawner = nil
	}
}

// Open returns the cluster that a folder's state names, whoever started it, as
// it is: processes may have ended. fs.ErrNotExist when there is none.
func Open(dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, detach: true, state: s, procs: make(map[string]*process)}
	for name, pid := range s.Processes {
		c.add(&process{name: name, pid: pid, log: c.logOf(name), mark: c.mark(name)})
	}
	return c, nil
}

// Down ends the cluster of a folder, whoever started it: what its state names,
// and then what runs with the folder in its command line; of these Kafka, HBase
// (with what it rests on) and Cassandra, as Options.Dir, Kafka, HBase and Cassandra say. It returns
// the names of the processes that ran.
func Down(ctx context.Context, o Options) (names []string, err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	left, err := running(dir)
	if err != nil {
		return nil, err
	}
	c, err := Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		c = &Cluster{dir: dir, state: &state{Version: stateVersion, Ports: make(ports), Processes: make(map[string]int)}, procs: make(map[string]*process)}
		if len(left) == 0 {
			return nil, fmt.Errorf("no cluster in %s: %w", dir, fs.ErrNotExist)
		}
	} else if err != nil {
		return nil, err
	}
	maps.DeleteFunc(c.procs, func(name string, _ *process) bool { return !o.has(name) })
	for name, pid := range left {
		if !o.has(name) {
			continue
		}
		names = append(names, name)
		c.state.Processes[name] = pid
		c.add(&process{name: name, pid: pid, log: c.logOf(name), mark: c.mark(name)})
	}
	slices.Sort(names)
	return names, c.Stop(ctx)
}

// running finds the processes that run for a folder: name to id.
func running(dir string) (map[string]int, error) {
	return marked((&Cluster{dir: dir}).mark(""))
}
