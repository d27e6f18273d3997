package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"speedlayer/internal/child"
	"speedlayer/sim/torture"
)

// Config defines what to do to what. Program and Dir are required; the zero value
// of any other field is its default.
type Config struct {
	Program string // path of speedlayer
	Dir     string // for data and logs
	Jars    string // as in devcluster.Options
	Seed    uint64
	Faults  int
	Kinds   []Kind // all that the cluster can bear: Kinds, or HDFSKinds
	Brokers int    // 1, or 3
	HDFS    bool   // HBase is on HDFS, which PauseRegionServer needs

	Cassandra int // the store is Cassandra with so many nodes; 0 is HBase

	Rate    int       // pageviews a second, of all clients, at most; 8,000
	Clients int       // 256
	Log     io.Writer // a line for each fault; nil is none

	// Batch gives the cluster a batch layer, which BatchKinds need: then answers
	// between faults are compared too, as far as clients post on, and at the end
	// over a run, a rollback and another run. What it keeps lies as in an object
	// store: each process fetches batch views into a folder of its own.
	Batch bool

	// Recovery is how long it may take after a fault until everything in the log
	// is queryable; 2 minutes.
	Recovery time.Duration
}

// Run starts a cluster, does what the plan of the seed says while clients post,
// and compares what was counted with what was acknowledged. An error means that it
// could not be done, or that the system did not recover.
func Run(ctx context.Context, cfg Config) (_ *Report, err error) {
	cfg.fill()
	w, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ledger := torture.NewLedger()
	crowd := torture.StartCrowd(ctx, torture.CrowdConfig{Seed: cfg.Seed, Rate: cfg.Rate, Clients: cfg.Clients,
		HTTP: w.http, URL: w.collectorURL, Ledger: ledger})
	// Clients that give up end the run.
	context.AfterFunc(crowd.GaveUp(), func() { cancel(errors.New("a client gave up")) })
	r := &Report{Seed: cfg.Seed}
	began := time.Now()
	if err := w.faults(ctx, r, crowd); err != nil {
		cancel(err)
		return nil, errors.Join(err, crowd.Stop())
	}
	if err := crowd.Stop(); err != nil {
		return nil, err
	}
	r.Traffic, r.Seconds = crowd.Traffic(), time.Since(began).Seconds()
	return r, w.compare(context.WithoutCancel(ctx), r, ledger)
}

func (c *Config) fill() {
	if c.Kinds == nil {
		c.Kinds = c.defaultKinds()
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	for _, f := range []struct {
		field *int
		value int
	}{{&c.Brokers, 1}, {&c.Rate, 8000}, {&c.Clients, 256}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if c.Recovery == 0 {
		c.Recovery = 2 * time.Minute
	}
}

// faults goes through the plan. Each fault begins when the one before it is
// mended and everything is queryable.
func (w *world) faults(ctx context.Context, r *Report, crowd *torture.Crowd) error {
	plan := Plan(w.cfg.Seed, w.cfg.Faults, w.cfg.Kinds)
	for i, f := range plan {
		quiet := crowd.Traffic()
		if err := wait(ctx, f.After); err != nil {
			return err
		}
		began, before := time.Now(), crowd.Traffic()
		r.Quiet += f.After.Seconds()
		r.QuietAcknowledged += before.Acknowledged - quiet.Acknowledged
		if err := w.inject(ctx, f); err != nil {
			return fmt.Errorf("fault %d, %v: %w", i+1, f, err)
		}
		mended := time.Now()
		if err := w.caughtUp(ctx); err != nil {
			return fmt.Errorf("after fault %d, %v: %w", i+1, f, err)
		}
		caught := time.Now()
		if err := w.between(ctx, crowd); err != nil {
			return fmt.Errorf("after fault %d, %v: %w", i+1, f, err)
		}
		o := Outcome{Kind: f.Kind, Lasted: mended.Sub(began).Seconds(), CaughtUp: caught.Sub(mended).Seconds(),
			Retried: crowd.Traffic().Retried - before.Retried}
		r.Faults = append(r.Faults, o)
		fmt.Fprintf(w.cfg.Log, "fault %d of %d: %v, %d acknowledged so far\n", i+1, len(plan), o, crowd.Traffic().Acknowledged)
	}
	return nil
}

// compare looks at what was counted when all is queryable, and stops everything.
func (w *world) compare(ctx context.Context, r *Report, ledger *torture.Ledger) error {
	if err := w.caughtUp(ctx); err != nil {
		return err
	}
	if err := w.compareRuns(ctx, r, ledger); err != nil {
		return err
	}
	lines, err := w.export(ctx)
	if err != nil {
		return err
	}
	r.Comparison = ledger.Compare(lines)
	out, err := child.Output(ctx, exec.Command(w.cfg.Program, "verify", "--server", w.query.url, "--kafka", strings.Join(w.cluster.Brokers(), ","), "--json"), true)
	if err != nil {
		return err
	}
	var found struct {
		Differences *int64
		Shards      int
	}
	if err := json.Unmarshal(out, &found); err != nil || found.Differences == nil || found.Shards == 0 {
		return fmt.Errorf("%q is not a report of a comparison: %w", out, err)
	}
	r.Differences, r.Shards, r.Verify = *found.Differences, found.Shards, string(out)
	if err := w.stopNodes(ctx); err != nil {
		return err
	}
	var err1, err2 error
	r.KafkaBytes, err1 = w.proxies.passed("kafka-")
	for _, prefix := range w.storeProxies() {
		bytes, err := w.proxies.passed(prefix)
		r.Proxied = append(r.Proxied, Passed{prefix, bytes})
		err2 = errors.Join(err2, err)
	}
	return errors.Join(err1, err2)
}

// export is every cell, as the reader answers.
func (w *world) export(ctx context.Context) (lines []torture.Line, err error) {
	out, err := child.Output(ctx, exec.Command(w.cfg.Program, "export", "--server", w.reader.url, "--format", "jsonl"), false)
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l torture.Line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
}

// stopNodes stops our processes as users do, which must go well.
func (w *world) stopNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var errs []error
	for _, n := range w.nodes() {
		errs = append(errs, n.stop(ctx))
	}
	return errors.Join(errs...)
}
