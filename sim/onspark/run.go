package onspark

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"speedlayer/sim/torture"
)

// Report is what a run found.
type Report struct {
	Seed   uint64
	Faults []string // what each was, and how long it took until all was queryable
	torture.Traffic
	torture.Comparison
	Differences int64 // cells that verify found different from what the log says
	Shards      int   // that it compared
	Copies      int   // speculative copies of tasks that Spark began
}

// OK says that the promise was kept, and put to the test.
func (r *Report) OK() bool {
	return r.Differ == 0 && r.Differences == 0 && r.Shards > 0 && r.Posted == r.Acknowledged && r.Acknowledged > 0
}

// String is the report for people.
func (r *Report) String() string {
	return fmt.Sprintf("seed %d: %d faults, %d pageviews acknowledged of %d posted, %d sent twice on purpose, %d copies of tasks; compared %d shards, %d differences; %v\n%s\n",
		r.Seed, len(r.Faults), r.Acknowledged, r.Posted, r.SentTwice, r.Copies, r.Shards, r.Differences, r.Comparison, strings.Join(r.Faults, "\n"))
}

// Run starts the query, does what the plan of the seed says while clients post, and
// compares what was counted with what was acknowledged. An error says that it could
// not be done, or that the system did not recover.
func Run(ctx context.Context, cfg Config) (_ *Report, err error) {
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	w, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ledger := torture.NewLedger()
	crowd := torture.StartCrowd(ctx, torture.CrowdConfig{Seed: cfg.Seed, Rate: cfg.Rate, Clients: 16, HTTP: w.http,
		URL: func() string { return w.url }, Ledger: ledger})
	context.AfterFunc(crowd.GaveUp(), func() { cancel(errors.New("a client gave up")) })
	r := &Report{Seed: cfg.Seed}
	if err := w.faults(ctx, r, crowd); err != nil {
		cancel(err)
		return nil, errors.Join(err, crowd.Stop())
	}
	if err := crowd.Stop(); err != nil {
		return nil, err
	}
	r.Traffic = crowd.Traffic()
	return r, w.compare(context.WithoutCancel(ctx), r, ledger)
}

// faults goes through the plan. Each fault begins when everything is queryable after
// the one before it.
func (w *world) faults(ctx context.Context, r *Report, crowd *torture.Crowd) error {
	if err := w.caughtUp(ctx); err != nil {
		return fmt.Errorf("before the first fault: %w", err)
	}
	for i, f := range Plan(w.cfg.Seed, w.cfg.Faults, w.cfg.Kinds) {
		if err := wait(ctx, f.After); err != nil {
			return err
		}
		began := time.Now()
		if err := w.inject(ctx, f); err != nil {
			return fmt.Errorf("fault %d, %v: %w", i+1, f, err)
		}
		mended := time.Now()
		if err := w.caughtUp(ctx); err != nil {
			return fmt.Errorf("after fault %d, %v: %w", i+1, f, err)
		}
		text := fmt.Sprintf("%-20s lasted %5.1f s, caught up after %5.1f s more, %d acknowledged so far", f.Kind, mended.Sub(began).Seconds(), time.Since(mended).Seconds(), crowd.Traffic().Acknowledged)
		r.Faults = append(r.Faults, text)
		fmt.Fprintf(w.cfg.Log, "fault %d of %d: %s\n", i+1, w.cfg.Faults, text)
	}
	return nil
}

// compare looks at what was counted when all is queryable.
func (w *world) compare(ctx context.Context, r *Report, ledger *torture.Ledger) error {
	if err := w.caughtUp(ctx); err != nil {
		return err
	}
	lines, err := w.export(ctx)
	if err != nil {
		return err
	}
	r.Comparison = ledger.Compare(lines)
	out, err := w.output(ctx, true, "verify", "--server", w.url, "--kafka", w.brokers(), "--json")
	if err != nil {
		return err
	}
	var found struct {
		Differences *int64
		Shards      int
	}
	if err := json.Unmarshal(out, &found); err != nil || found.Differences == nil {
		return fmt.Errorf("%q is not a report of a comparison: %w", out, err)
	}
	r.Differences, r.Shards = *found.Differences, found.Shards
	text, err := w.driverLog()
	r.Copies = strings.Count(text, speculated)
	return err
}

// export is every cell.
func (w *world) export(ctx context.Context) (lines []torture.Line, err error) {
	out, err := w.output(ctx, false, "export", "--server", w.url, "--format", "jsonl")
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
