package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"speedlayer/internal/devcluster"
	"speedlayer/queue"
)

// What cluster runs.
const (
	clusterProcesses = 3      // of processors, against one
	clusterRate      = 20_000 // events/s while it asks, and while processors are killed
	clusterStart     = 2 * time.Minute
	clusterHeap      = 4096 // MiB, of the region server
)

// Cluster measures the main job on real Kafka and real HBase, which it starts on
// this machine, all servers beside our processes: log to durable, deduped views
// by one processor process and by three, into a fresh store and with a second
// generation open; questions about 24 hours to the store; and how long after
// kill -9 of a processor all is queryable again. Processors are real processes of
// the real program, which share the partitions as a consumer group.
//
// Baselines, on the same events in the same run: the embedded queue and store;
// reading and parsing the log from Kafka; and putting the same rows into HBase
// with nothing else.
func Cluster(ctx context.Context, o Options) (results []Result, err error) {
	if o.Program == "" {
		return nil, errors.New("no program to run processors with")
	}
	embedded, err := embeddedViews(ctx, o)
	if err != nil {
		return nil, err
	}
	c, err := openCluster(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if results, err = c.views(ctx, embedded); err != nil {
		return results, err
	}
	asked, err := c.query(ctx)
	results = append(results, asked...)
	if err != nil {
		return results, err
	}
	killed, err := c.recovery(ctx)
	return append(results, killed...), err
}

// embeddedViews is what the same events take on the embedded parts, in events/s,
// before any server is there.
func embeddedViews(ctx context.Context, o Options) (rate float64, err error) {
	q, info, err := openLog(ctx, o, time.Hour)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	r, err := logToViews(ctx, o, q, info)
	o.Progress("  embedded: %.0f events/s", r.Value)
	return r.Value, err
}

// servers are Kafka and HBase, with a log that all measurements share.
type servers struct {
	o       Options
	cluster *devcluster.Cluster
	queue   *queue.Client
	http    *http.Client
	sites   []*site // all that were opened
}

func openCluster(ctx context.Context, o Options) (_ *servers, err error) {
	dir, err := freshDir(o, "cluster")
	if err != nil {
		return nil, err
	}
	c := &servers{o: o, http: &http.Client{Timeout: 10 * time.Second}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	starting, cancel := context.WithTimeout(ctx, clusterStart)
	defer cancel()
	o.Progress("  starting Kafka and HBase")
	c.cluster, err = devcluster.Start(starting, devcluster.Options{Dir: dir, Kafka: true, HBase: true, RegionServerHeap: clusterHeap, Log: io.Discard})
	if err != nil {
		return nil, err
	}
	c.queue, err = queue.Dial(ctx, queue.Config{Brokers: c.cluster.Brokers(), Partitions: partitions, Logger: o.Logger})
	return c, err
}

func (c *servers) close() error {
	var errs []error
	for _, s := range c.sites {
		errs = append(errs, s.close())
	}
	if c.queue != nil {
		c.queue.Close()
	}
	if c.cluster != nil {
		errs = append(errs, c.cluster.KillAll())
	}
	c.http.CloseIdleConnections()
	return errors.Join(errs...)
}

// load appends events to the log, of another seed each time, and returns where
// the log ends then.
func (c *servers) load(ctx context.Context, o Options, span time.Duration) ([]int64, error) {
	g, err := stream(o, o.Events, span)
	if err != nil {
		return nil, err
	}
	if err := loadLog(ctx, o, c.queue, g, o.Events); err != nil {
		return nil, err
	}
	info, err := c.queue.Info(ctx)
	return info.Ends, err
}

// views measures log to views: into fresh stores, then the same again with a
// second generation open.
func (c *servers) views(ctx context.Context, embedded float64) (results []Result, err error) {
	ends, err := c.load(ctx, c.o, time.Hour)
	if err != nil {
		return nil, err
	}
	parsed, err := parseOnly(ctx, c.queue, queue.TopicInfo{Ends: ends})
	if err != nil {
		return nil, err
	}
	limit := parsed.rate(c.o.Events)
	c.o.Progress("  reading and parsing: %.0f events/s", limit)
	rows, err := c.rowsOnly(ctx, ends)
	if err != nil {
		return nil, err
	}
	c.o.Progress("  putting the rows alone: %.0f events/s, %.0f rows/s", rows.events, rows.rows)
	one, err := c.newSite(ctx, "one", 1)
	if err != nil {
		return nil, err
	}
	three, err := c.newSite(ctx, "three", clusterProcesses)
	if err != nil {
		return nil, err
	}
	for generations := 1; generations <= 2; generations++ {
		if generations == 2 {
			if ends, err = c.secondGeneration(ctx, one, three); err != nil {
				return results, err
			}
		}
		for _, s := range []*site{one, three} {
			w, err := s.absorb(ctx, ends)
			if err != nil {
				return results, fmt.Errorf("%s, %d generations: %w", s.prefix, generations, err)
			}
			r := w.result(s.processes, generations)
			r.against("embedded queue and store", embedded, "events/s")
			r.against("read and parse from Kafka, do nothing", limit, "events/s")
			r.against("put the same rows, do nothing else", rows.events, "events/s")
			r.detail("rows/s of that", rows.rows, "rows/s")
			c.o.Progress("  %s: %.0f events/s, %.0f rows/s", r.What, w.rate(), w.rows/w.wall.Seconds())
			results = append(results, r)
		}
	}
	return results, nil
}

// secondGeneration begins one in each store, as a change of settings does, and
// fills the log again.
func (c *servers) secondGeneration(ctx context.Context, sites ...*site) ([]int64, error) {
	for _, s := range sites {
		if err := s.beginGeneration(ctx); err != nil {
			return nil, err
		}
	}
	more := c.o
	more.Seed++ // else all would be duplicates
	return c.load(ctx, more, time.Hour)
}

// cpu is the processor time of the servers whose names begin with one of these.
func (c *servers) cpu(prefixes ...string) (total time.Duration) {
	for _, name := range c.cluster.Names() {
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				total += processTime(c.cluster.PID(name))
			}
		}
	}
	return total
}

// processTime is user and system time of a process, 0 where it is not told.
// Source: proc_pid_stat(5); the tick is 10 ms on every Linux that Go runs on.
func processTime(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
