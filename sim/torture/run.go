package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Config defines how to torture. The zero value of a field is its default.
type Config struct {
	System  System
	Kills   int
	Seed    uint64
	Rate    int           // pageviews a second, of all clients; 2,000
	Clients int           // 8
	Longest time.Duration // that an instance works before it is killed; 1.2 s
	Log     io.Writer     // a line for each kill; nil is none
}

// Bounds of what the system may take.
const (
	startTime = 60 * time.Second // until it answers and has caught up
	stopTime  = 10 * time.Second
)

// Run tortures. An error means that it could not be done, or that the system did
// not start, answer or stop; whether it counted right is in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	defaultTo(&cfg.Rate, 2000)
	defaultTo(&cfg.Clients, 8)
	defaultTo(&cfg.Longest, 1200*time.Millisecond)
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &run{cfg: cfg, ledger: NewLedger(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	defer t.client.CloseIdleConnections()
	t.url.Store(new("http://127.0.0.1:1"))
	t.crowd = StartCrowd(ctx, CrowdConfig{Seed: cfg.Seed, Rate: cfg.Rate, Clients: cfg.Clients, HTTP: t.client,
		URL: func() string { return *t.url.Load() }, Ledger: t.ledger})
	// Clients that give up end the run.
	context.AfterFunc(t.crowd.GaveUp(), cancel)
	err := t.kills(ctx)
	if err == nil {
		err = t.crowd.Stop()
		err = errors.Join(err, t.finish(context.WithoutCancel(ctx)))
	} else {
		cancel()
		err = errors.Join(t.crowd.Stop(), err, t.abandon())
	}
	return t.report(), err
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// run is one torture.
type run struct {
	cfg    Config
	ledger *Ledger
	crowd  *Crowd
	client *http.Client
	url    atomic.Pointer[string]

	now      Instance // the one that lives
	killed   time.Time
	done     int
	answered []time.Duration // from kill to first answer
	caughtUp []time.Duration

	result Report
}

// kills goes through the plan, and leaves an instance behind that has caught up.
func (t *run) kills(ctx context.Context) (err error) {
	for i, k := range Plan(t.cfg.Seed, t.cfg.Kills, t.cfg.Longest) {
		if err := t.launch(); err != nil {
			return err
		}
		first, all, err := t.live(ctx, k)
		if err != nil {
			return err
		}
		before := t.ledger.Views()
		if err := t.now.Kill(); err != nil {
			return fmt.Errorf("kill %d: %w", i+1, err)
		}
		t.killed = time.Now()
		t.done++
		fmt.Fprintf(t.cfg.Log, "kill %d of %d: %s + %v, %d acknowledged, first answer %s, caught up %s\n", i+1, t.cfg.Kills,
			k.When, k.After.Round(time.Millisecond), before, shown(first), shown(all))
	}
	if err := t.launch(); err != nil {
		return err
	}
	_, _, err = t.live(ctx, Kill{When: Working, After: t.cfg.Longest})
	return err
}

func shown(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.Round(time.Millisecond).String()
}

func (t *run) launch() (err error) {
	t.now, err = t.cfg.System.Launch()
	return err
}

// live lets an instance live until it shall be killed. It returns how long
// after the last kill it answered, and had caught up, if it came to that.
func (t *run) live(ctx context.Context, k Kill) (first, all time.Duration, err error) {
	ctx, stop := t.whileRunning(ctx)
	defer stop()
	defer func() {
		if err != nil && context.Cause(ctx) != ctx.Err() {
			err = context.Cause(ctx)
		}
	}()
	if k.When == Starting {
		return 0, 0, t.wait(ctx, k.After)
	}
	url, err := t.now.URL(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("start: %w", err)
	}
	t.url.Store(&url)
	if k.When == Started {
		return 0, 0, t.wait(ctx, k.After)
	}
	if err := Answers(ctx, t.client, url, poll); err != nil {
		return 0, 0, err
	}
	first = t.sinceKill(&t.answered)
	// The kill comes when it is due, whether or not it has caught up by then.
	deadline := time.Now().Add(k.After)
	catching := ctx
	if t.done < t.cfg.Kills {
		var cancel context.CancelFunc
		catching, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	switch err := CaughtUp(catching, t.client, url, poll); {
	case err == nil:
		all = t.sinceKill(&t.caughtUp)
	case ctx.Err() != nil || catching.Err() == nil:
		return 0, 0, err
	}
	return first, all, t.wait(ctx, time.Until(deadline))
}

// sinceKill is how long ago the last kill was; 0 when there was none.
func (t *run) sinceKill(all *[]time.Duration) time.Duration {
	if t.killed.IsZero() {
		return 0
	}
	d := time.Since(t.killed)
	*all = append(*all, d)
	return d
}

// whileRunning is a context that ends when the instance does by itself, or when
// it takes too long.
func (t *run) whileRunning(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, startTime+t.cfg.Longest)
	ctx, end := context.WithCancelCause(ctx)
	left, now := make(chan struct{}), t.now
	go func() { // ends with left
		select {
		case <-now.Done():
			end(fmt.Errorf("it ended by itself: %w", now.Ended()))
		case <-left:
		}
	}()
	return ctx, func() { close(left); end(nil); cancel() }
}

func (t *run) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish stops the system gracefully, when all that clients posted is
// acknowledged, and looks at what it counted.
func (t *run) finish(ctx context.Context) error {
	begin := time.Now()
	stopping, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := t.now.Stop(stopping); err != nil {
		return errors.Join(fmt.Errorf("graceful stop: %w", err), t.now.Kill())
	}
	t.result.Stop = time.Since(begin).Seconds()
	var lines []Line
	if err := t.cfg.System.Export(ctx, func(l Line) error { lines = append(lines, l); return nil }); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	t.result.Comparison = t.ledger.Compare(lines)
	var err error
	if t.result.Differences, t.result.Verify, err = t.cfg.System.Verify(ctx); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

// abandon ends what is left of a run that failed.
func (t *run) abandon() error {
	if t.now == nil {
		return nil
	}
	return t.now.Kill()
}

func (t *run) report() *Report {
	r := t.result
	r.Seed, r.Kills = t.cfg.Seed, t.done
	r.Traffic = t.crowd.Traffic()
	r.FirstAnswer, r.CaughtUp = spread(t.answered), spread(t.caughtUp)
	return &r
}
