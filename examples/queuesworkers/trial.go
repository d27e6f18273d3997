package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/internal/child"
	"speedlayer/queue/embedded"
)

const (
	probes     = 200             // pageviews whose latency is measured
	invalid    = 20              // one in so many is not a pageview
	urls       = 1000            // by Zipf's law
	answerTime = 5 * time.Minute // for an answer, at most
	startTime  = time.Minute     // for a start, at most
)

// trial is a system that is measured.
type trial struct {
	variant
	dir    string
	broker *embedded.Broker
	client *kgo.Client
	rng    *rand.Rand
	zipf   *rand.Zipf
	want   map[string]uint64 // what is in the queue

	process *child.Process
	url     string
}

// measure gives one system a queue of its own, and runs all phases.
func measure(ctx context.Context, v variant, o options) (r outcome, err error) {
	t := &trial{variant: v, rng: rand.New(rand.NewPCG(o.seed, 0)), want: map[string]uint64{}}
	t.zipf = rand.NewZipf(t.rng, 1.1, 1, urls-1)
	if t.dir, err = os.MkdirTemp("", "queuesworkers-"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.dir)) }()
	t.broker, err = embedded.Start(embedded.Config{Dir: filepath.Join(t.dir, "queue"), Partitions: partitions, Trusted: true})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, t.broker.Close()) }()
	if t.client, err = kgo.NewClient(kgo.SeedBrokers(t.broker.Addr())); err != nil {
		return r, err
	}
	defer t.client.Close()
	if err := t.start(ctx); err != nil { // it makes its topics
		return r, err
	}
	defer func() { err = errors.Join(err, t.process.Kill()) }()

	n := o.events * v.scale
	if r.rate, err = t.backlog(ctx, n); err != nil {
		return r, err
	}
	if r.p50, r.p99, err = t.latency(ctx); err != nil {
		return r, err
	}
	if err := t.kills(ctx, n, o.kills, time.Duration(float64(n)/r.rate*float64(time.Second))); err != nil {
		return r, err
	}
	r.lost, r.doubled, err = t.check(ctx)
	return r, err
}

// start starts the system's process.
func (t *trial) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "--system", t.name, "--brokers", t.broker.Addr(), "--dir", t.dir)
	if t.process, err = child.Start(t.name, cmd, nil, nil); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	t.url, err = t.process.URL(wait)
	return err
}

// restart kills the process, and starts it again.
func (t *trial) restart(ctx context.Context) error {
	if err := t.process.Kill(); err != nil {
		return err
	}
	return t.start(ctx)
}

// get asks the system.
func (t *trial) get(ctx context.Context, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("GET %s: %s: %s", path, resp.Status, text)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

func (t *trial) settle(ctx context.Context) error {
	var settled string
	return t.get(ctx, "/settle", &settled)
}

// enqueue appends n pageviews, some of which are invalid, each once.
func (t *trial) enqueue(ctx context.Context, n int) error {
	now := time.Now()
	for n > 0 {
		records := make([]*kgo.Record, min(n, 10_000))
		n -= len(records)
		for i := range records {
			p := &Pageview{URL: fmt.Sprintf("foo.com/p%d", t.zipf.Uint64()), Millis: now.Add(-time.Duration(t.rng.IntN(6)) * time.Hour).UnixMilli()}
			if t.rng.IntN(invalid) == 0 {
				p.URL = "about:blank"
			} else {
				t.want[p.Key()]++
			}
			records[i] = p.record()
		}
		if err := t.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pageview) record() *kgo.Record {
	value, err := json.Marshal(p)
	if err != nil {
		panic(err) // a text and a number
	}
	return &kgo.Record{Topic: topic, Value: value}
}

// backlog measures how fast a started system counts what the queue holds.
func (t *trial) backlog(ctx context.Context, n int) (rate float64, err error) {
	if err := t.process.Kill(); err != nil {
		return 0, err
	}
	if err := t.enqueue(ctx, n); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := t.start(ctx); err != nil {
		return 0, err
	}
	if err := t.settle(ctx); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// latency measures the time from the queue's acknowledgement of a pageview until a
// query counts it, with nothing else to do.
func (t *trial) latency(ctx context.Context) (p50, p99 time.Duration, err error) {
	took := make([]time.Duration, probes)
	for i := range took {
		p := &Pageview{URL: fmt.Sprintf("foo.com/probe%d", i), Millis: time.Now().UnixMilli()}
		if err := t.client.ProduceSync(ctx, p.record()).FirstErr(); err != nil {
			return 0, 0, err
		}
		t.want[p.Key()]++
		begin := time.Now()
		for n := uint64(0); n == 0; {
			if err := t.get(ctx, "/count?key="+url.QueryEscape(p.Key()), &n); err != nil {
				return 0, 0, err
			}
			if time.Since(begin) > answerTime {
				return 0, 0, errors.New("a pageview is not counted")
			}
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return took[probes/2], took[probes*99/100], nil
}

// kills gives the system n more pageviews, which take it about as long as whole, and
// kills it at random moments meanwhile.
func (t *trial) kills(ctx context.Context, n, kills int, whole time.Duration) error {
	for k := range kills {
		if err := t.enqueue(ctx, n*(k+1)/kills-n*k/kills); err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(t.rng.Int64N(int64(whole)/int64(kills) + 1))):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := t.restart(ctx); err != nil {
			return err
		}
	}
	return t.settle(ctx)
}

// check compares the system's counts with what is in the queue.
func (t *trial) check(ctx context.Context) (lost, doubled uint64, err error) {
	have := map[string]uint64{}
	if err := t.get(ctx, "/all", &have); err != nil {
		return 0, 0, err
	}
	lost, doubled = differences(t.want, have)
	return lost, doubled, nil
}

// differences sums up what counts lack, and what they have too much.
func differences(want, have map[string]uint64) (lost, doubled uint64) {
	for key, n := range want {
		lost += n - min(n, have[key])
	}
	for key, n := range have {
		doubled += n - min(n, want[key])
	}
	return lost, doubled
}
