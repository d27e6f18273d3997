package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"speedlayer/bench/peers"
	"speedlayer/queue"
	"speedlayer/sim/generate"
)

const (
	peerRounds  = 2         // each system runs this often, in turn
	peerDensity = 500_000   // events in an hour of event time
	peerTime    = time.Hour // for one run, at most
)

// Peers measures speedlayer and other systems on the same topic of a real Kafka,
// which it starts, one after the other, in rounds: from the first record (of
// speedlayer: from the assignment of the partitions) to the last durable commit,
// with caches that are cold. All must count the same unique events. It repeats
// that for each of Options.Sizes; none are 3 and 9 million events.
//
// It is unequal: speedlayer also counts by domain, counts visits and bounces, and
// writes an archive, and its result lies in a store that answers queries.
func Peers(ctx context.Context, o Options) (results []Result, err error) {
	if o.Program == "" {
		return nil, errors.New("no program to run speedlayer with")
	}
	built, err := peers.Build(ctx, progressWriter{o})
	if err != nil {
		return nil, err
	}
	sizes := o.Sizes
	if len(sizes) == 0 {
		sizes = []int64{3_000_000, 9_000_000}
	}
	for _, n := range sizes {
		o.Events = n
		more, err := comparePeers(ctx, o, built)
		results = append(results, more...)
		if err != nil {
			return results, fmt.Errorf("%d events: %w", n, err)
		}
	}
	return results, nil
}

// progressWriter makes lines of text lines of progress.
type progressWriter struct{ o Options }

func (w progressWriter) Write(text []byte) (int, error) {
	w.o.Progress("%s", text[:max(0, len(text)-1)])
	return len(text), nil
}

// system is one of those compared.
type system struct {
	name string
	run  func(ctx context.Context, round int) (peers.Result, error)
	runs []peers.Result
}

func comparePeers(ctx context.Context, o Options, built *peers.Built) (results []Result, err error) {
	c, err := openPeerCluster(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	all := []*system{
		{name: "speedlayer, Kafka to the embedded store", run: c.embeddedStore},
		{name: "speedlayer, Kafka to HBase", run: c.hbaseStore},
	}
	for _, p := range peers.All() {
		all = append(all, &system{name: p.Name, run: func(ctx context.Context, round int) (peers.Result, error) {
			dir, err := freshDir(o, fmt.Sprintf("peer-%d", round))
			if err != nil {
				return peers.Result{}, err
			}
			job := peers.Job{Brokers: c.cluster.Brokers(), Topic: queue.TopicPageviews, Dir: dir, Records: o.Events, Cores: runtime.NumCPU()}
			return p.Run(ctx, built, job, o.spawner.Start)
		}})
	}
	for round := range peerRounds {
		for _, s := range all {
			if err := s.measure(ctx, o, round); err != nil {
				return nil, err
			}
		}
	}
	return comparison(all, o.Events), agreed(all)
}

// openPeerCluster starts Kafka and HBase and fills the topic: duplicates are close
// to their originals, and nothing is late, since not all peers take late events.
func openPeerCluster(ctx context.Context, o Options) (*servers, error) {
	c, err := openCluster(ctx, o)
	if err != nil {
		return nil, err
	}
	span := time.Duration(float64(o.Events) / peerDensity * float64(time.Hour))
	g, err := generate.New(generate.Config{Events: o.Events, Seed: o.Seed, Span: span, Late: -1, Bots: -1, Edges: -1,
		Start: time.Now().Truncate(time.Hour).Add(-span)})
	if err == nil {
		err = loadLog(ctx, o, c.queue, g, o.Events)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (s *system) measure(ctx context.Context, o Options, round int) error {
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	r, err := s.run(ctx, round)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.runs = append(s.runs, r)
	o.Progress("  %s: %.0f events/s, %.1f s of processor time a million, %.0f MiB, %d unique", s.name,
		float64(r.Events)/r.Seconds, r.CPU/float64(r.Events)*1e6, r.PeakMiB, r.Unique)
	return nil
}

// agreed returns an error if two systems counted different events.
func agreed(all []*system) error {
	first := all[0].runs[0]
	for _, s := range all {
		for _, r := range s.runs {
			if r.Unique != first.Unique || r.Events != first.Events {
				return fmt.Errorf("%s read %d events, %d of them unique; %s %d, %d of them unique", all[0].name, first.Events, first.Unique, s.name, r.Events, r.Unique)
			}
		}
	}
	return nil
}

// rate is that of all runs together.
func (s *system) rate() float64 {
	var events, seconds float64
	for _, r := range s.runs {
		events += float64(r.Events)
		seconds += r.Seconds
	}
	return events / seconds
}

func comparison(all []*system, events int64) (results []Result) {
	for i, s := range all {
		r := Result{Name: "peers", What: fmt.Sprintf("%d events: %s", events, s.name), Value: s.rate(), Unit: "events/s"}
		for j, other := range all {
			if i != j {
				r.against(other.name, other.rate(), "events/s")
			}
		}
		for n, run := range s.runs {
			r.detail(fmt.Sprintf("run %d", n+1), float64(run.Events)/run.Seconds, "events/s")
			r.detail("processor time", run.CPU/float64(run.Events)*1e6, "s a million events")
			r.detail("peak resident", run.PeakMiB, "MiB")
		}
		results = append(results, r)
	}
	return results
}

// serveFromKafka runs serve, in all roles, until it has counted the topic.
func (c *servers) serveFromKafka(ctx context.Context, name string, flags ...string) (r peers.Result, err error) {
	dir, err := freshDir(c.o, name)
	if err != nil {
		return r, err
	}
	args := append([]string{"serve", "--kafka", strings.Join(c.cluster.Brokers(), ","), "--data", dir, "--group", name, "--listen", "127.0.0.1:0", "--log-level", "warn", "--bots", "keep"}, flags...)
	m, err := c.startProgram(name, args)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.Kill()) }()
	if err := m.ready(ctx); err != nil {
		return r, err
	}
	began, err := m.sees(ctx, func(v map[string]float64) bool { return v["speedlayer_partitions_owned"] == partitions })
	if err != nil {
		return r, err
	}
	cpu := processTime(m.PID())
	ended, err := m.sees(ctx, func(v map[string]float64) bool { return v["speedlayer_records_total"] >= float64(c.o.Events) })
	if err != nil {
		return r, err
	}
	counted, err := m.labelled(ctx, "speedlayer_records_total", "result")
	if err != nil {
		return r, err
	}
	return peers.Result{Events: c.o.Events, Unique: int64(counted["event"]), Seconds: ended.Sub(began).Seconds(),
		CPU: (processTime(m.PID()) - cpu).Seconds(), PeakMiB: statusMiB(m.PID(), "VmHWM:")}, nil
}

func (c *servers) embeddedStore(ctx context.Context, round int) (peers.Result, error) {
	return c.serveFromKafka(ctx, fmt.Sprintf("embedded%d", round))
}

func (c *servers) hbaseStore(ctx context.Context, round int) (peers.Result, error) {
	name := fmt.Sprintf("hbase%d", round)
	return c.serveFromKafka(ctx, name, "--store", c.storeURL(name))
}
