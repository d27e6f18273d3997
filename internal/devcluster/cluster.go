package devcluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// How long to wait for what.
const (
	readyPoll = 200 * time.Millisecond
	readyCall = 3 * time.Second
	// stopTimeout is how long a process may take to end by itself; most need 2 to 4 s.
	stopTimeout = 15 * time.Second
)

// Cluster is a running cluster. Its methods are for one goroutine at a time.
type Cluster struct {
	dir     string
	quick   bool
	heap    int // of a region server, MiB
	detach  bool
	session time.Duration
	java    string
	jars    map[string]string // server to folder
	state   *state
	procs   map[string]*process
	before  map[string]int // processes that ran before Start: name to id
	spawner *Spawner       // nil when the cluster was opened, until one is started
	front   func(name, listen, upstream string) error
	lock    *flock.Flock // nil when the processes are detached
}

// Start starts a cluster, or starts the one that the folder has data of, and
// returns when its servers do what they are asked. Of a cluster that runs, detached,
// it starts the servers that have ended, and those that were not asked for before.
// What it started it ends again if it fails. Until Stop the folder is locked, unless Options.Detach.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	c, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := c.startAll(ctx, o); err != nil {
		for name, p := range c.procs { // what ran before goes on
			if c.before[name] == p.pid && p.pid != 0 {
				delete(c.procs, name)
			}
		}
		return nil, errors.Join(err, c.KillAll())
	}
	if o.Detach {
		c.release()
	}
	return c, nil
}

// prepare does all that needs no process: jars, ports, configurations.
func prepare(ctx context.Context, o Options) (_ *Cluster, err error) {
	c := &Cluster{dir: o.Dir, quick: o.Quick, heap: o.RegionServerHeap, detach: o.Detach, session: o.Session,
		jars: make(map[string]string), procs: make(map[string]*process)}
	if c.java, err = findJava(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	c.lock = flock.New(filepath.Join(o.Dir, "LOCK"))
	if ok, err := c.lock.TryLock(); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("%s is held by another process", o.Dir)
	}
	defer func() {
		if err != nil {
			c.release()
		}
	}()
	left, err := running(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := o.fitsRunning(left); err != nil {
		return nil, err
	}
	c.before = left
	for _, s := range o.jarSets() {
		if c.jars[s.name], err = s.get(ctx, o); err != nil {
			return nil, err
		}
	}
	if c.state, err = stateFor(o, left); err != nil {
		return nil, err
	}
	return c, c.configure(o)
}

// configure gives out ports, writes the configurations and describes the
// processes.
func (c *Cluster) configure(o Options) error {
	if err := writeFile(c.conf(logConfig), embedded(logConfig)); err != nil {
		return err
	}
	c.front = o.Front
	if o.Kafka {
		if err := c.kafkaPorts(o); err != nil {
			return err
		}
		if err := c.kafkaConfigs(); err != nil {
			return err
		}
		for i := 1; i <= o.Brokers; i++ {
			c.add(c.kafkaProcess(i))
		}
	}
	if o.HBase {
		if err := c.hbasePorts(o); err != nil {
			return err
		}
		if err := c.hbaseConfigs(); err != nil {
			return err
		}
		c.add(c.zooKeeperProcess())
		c.add(c.masterProcess())
		for i := 1; i <= o.RegionServers; i++ {
			c.add(c.regionServerProcess(i))
		}
		if o.HDFS {
			c.add(c.nameNodeProcess())
			c.add(c.dataNodeProcess())
		}
	}
	if o.Spark {
		if err := c.configureSpark(o); err != nil {
			return err
		}
	}
	if o.Cassandra {
		if err := c.cassandraPorts(o); err != nil {
			return err
		}
		if err := c.cassandraConfigs(o.CassandraSync); err != nil {
			return err
		}
		for i := 1; i <= o.CassandraNodes; i++ {
			c.add(c.cassandraProcess(i))
		}
	}
	if err := c.makeFronts(o); err != nil {
		return err
	}
	return c.state.write(c.dir)
}

func (c *Cluster) add(p *process) {
	if pid := c.before[p.name]; pid != 0 {
		p.pid = pid // it runs already
	}
	c.procs[p.name] = p
}

// wantPort gives a server's name a port, unless it has one and listens on it.
func (c *Cluster) wantPort(name string, asked int, flag string) error {
	server, _, _ := strings.Cut(name, " ")
	if c.before[server] != 0 && c.state.Ports[name] != 0 {
		return nil
	}
	return c.state.Ports.want(name, asked, flag)
}

// startAll makes the data folders that are not there yet, and starts everything.
func (c *Cluster) startAll(ctx context.Context, o Options) error {
	if o.Kafka {
		if err := c.format(ctx); err != nil {
			return err
		}
	}
	if o.HDFS {
		if err := c.formatNameNode(ctx); err != nil {
			return err
		}
	}
	idle := slices.DeleteFunc(c.Names(), func(name string) bool { return c.before[name] != 0 })
	if len(idle) == 0 {
		fmt.Fprintln(o.Log, "everything runs already")
	} else {
		fmt.Fprintf(o.Log, "starting %s\n", strings.Join(idle, ", "))
	}
	return c.LaunchAll(ctx)
}

// LaunchAll starts every process that does not run, what others need first, and
// waits until the servers are ready.
func (c *Cluster) LaunchAll(ctx context.Context) error {
	if err := c.launchIdle(sparkPrefix); err != nil {
		return err
	}
	if err := c.launchIdle(kafkaPrefix, cassandraPrefix, NameNode, DataNode, ZooKeeper); err != nil {
		return err
	}
	if c.procs[ZooKeeper] != nil {
		if err := c.zooKeeperReady(ctx); err != nil {
			return err
		}
	}
	if c.procs[NameNode] != nil {
		if err := c.hdfsReady(ctx); err != nil {
			return err
		}
	}
	if err := c.launchIdle(Master, "regionserver-"); err != nil {
		return err
	}
	return c.Ready(ctx)
}

// launchIdle starts those of the named processes that do not run.
func (c *Cluster) launchIdle(prefixes ...string) error {
	running := func(name string) bool { return c.procs[name].running() }
	return c.launch(slices.DeleteFunc(c.named(prefixes...), running)...)
}

// Ready waits until every server that was started does what it is asked: Kafka
// would create a topic on all brokers, HBase's master answers, and each node of
// Cassandra reads from all.
func (c *Cluster) Ready(ctx context.Context) error {
	if len(c.named(sparkPrefix)) > 0 {
		if err := c.sparkReady(ctx); err != nil {
			return err
		}
	}
	if len(c.named(kafkaPrefix)) > 0 {
		if err := c.kafkaReady(ctx); err != nil {
			return err
		}
		if c.state.SASL {
			if err := c.users(ctx); err != nil {
				return err
			}
		}
	}
	if len(c.named(Master)) > 0 {
		if err := c.hbaseReady(ctx); err != nil {
			return err
		}
	}
	if len(c.named(cassandraPrefix)) > 0 {
		return c.cassandraReady(ctx)
	}
	return nil
}

// launch starts processes and notes their ids.
func (c *Cluster) launch(names ...string) error {
	if c.spawner == nil {
		c.spawner = NewSpawner()
	}
	for _, name := range names {
		p := c.procs[name]
		if err := p.start(c.java, c.detach, c.spawner); err != nil {
			return err
		}
		c.state.Processes[name] = p.pid
	}
	return c.state.write(c.dir)
}

// named are the names of processes that begin with one of the texts, sorted.
func (c *Cluster) named(prefixes ...string) (names []string) {
	for name := range c.procs {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Names are the names of the cluster's processes, sorted.
func (c *Cluster) Names() []string { return slices.Sorted(maps.Keys(c.procs)) }

// Dir is the cluster's folder.
func (c *Cluster) Dir() string { return c.dir }

// allRun returns an error that ends the waiting and shows the log when one of the
// processes has ended.
func (c *Cluster) allRun(prefixes ...string) error {
	for _, name := range c.named(prefixes...) {
		p := c.procs[name]
		if p.running() {
			continue
		}
		text, err := os.ReadFile(p.log)
		if err != nil {
			return final{errors.Join(fmt.Errorf("%s has ended", name), err)}
		}
		return final{fmt.Errorf("%s has ended; its log %s ends with:\n%s", name, p.log, LastLines(text, 15))}
	}
	return nil
}

// PID is the process's id, 0 when it was not started.
func (c *Cluster) PID(name string) int { return c.state.Processes[name] }

// LogFile is where what a process says goes.
func (c *Cluster) LogFile(name string) string { return c.logOf(name) }

// Running reports whether a process runs.
func (c *Cluster) Running(name string) bool { p := c.procs[name]; return p != nil && p.running() }

// Kill ends a process at once, as kill -9 does.
func (c *Cluster) Kill(name string) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	return p.kill()
}

// Pause stops a process in its steps (SIGSTOP) until Resume.
func (c *Cluster) Pause(name string) error { return c.send(name, syscall.SIGSTOP) }

// Resume lets a process that was paused go on.
func (c *Cluster) Resume(name string) error { return c.send(name, syscall.SIGCONT) }

func (c *Cluster) send(name string, s syscall.Signal) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	return p.signal(s)
}

func (c *Cluster) process(name string) (*process, error) {
	if p := c.procs[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no process %q: there are %s", name, strings.Join(c.Names(), ", "))
}

// Launch starts a process that has ended, and does not wait until it is ready.
func (c *Cluster) Launch(name string) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	if p.running() {
		return fmt.Errorf("%s runs already", name)
	}
	return c.launch(name)
}

// Restart asks a process to end if it runs, starts it, and waits until the
// servers are ready.
func (c *Cluster) Restart(ctx context.Context, name string) error {
	p, err := c.process(name)
	if err != nil {
		return err
	}
	if err := p.stop(ctx, stopTimeout); err != nil {
		return err
	}
	if err := c.launch(name); err != nil {
		return err
	}
	return c.Ready(ctx)
}

// Meets reports whether the cluster has what the options ask for, ports aside.
func (c *Cluster) Meets(o Options) bool {
	s := c.state
	if o.Spark && !s.Spark {
		return false
	}
	kafka := !o.Kafka || s.Kafka && (o.Brokers == 0 || o.Brokers == s.Brokers) && (!o.SASL || s.SASL)
	hbase := !o.HBase || s.HBase && o.RegionServers <= s.RegionServers && o.HDFS == s.HDFS && (!o.Authorize || s.Authorize)
	cassandra := !o.Cassandra || s.Cassandra && (o.CassandraNodes == 0 || o.CassandraNodes == s.CassandraNodes) && o.CassandraAuth == s.CassandraAuth
	return kafka && hbase && cassandra
}

// Brokers are the addresses of Kafka, host:port, without encryption or password.
func (c *Cluster) Brokers() []string { return c.addresses(c.state.Kafka, kafkaName) }

func (c *Cluster) addresses(have bool, name func(int) string) (all []string) {
	for i := 1; have && i <= c.state.Brokers; i++ {
		all = append(all, c.state.Ports.address(name(i)))
	}
	return all
}

// ZooKeeper is the address by which clients find HBase, host:port.
func (c *Cluster) ZooKeeper() string { return c.state.Ports.address(ZooKeeper) }

// Port is the port on which a process listens for clients.
func (c *Cluster) Port(name string) int { return c.state.Ports[name] }
