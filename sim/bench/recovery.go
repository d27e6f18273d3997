package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/queue"
)

// What recovery does.
const (
	recoveryRate = 50_000   // events/s, before, while and after the node is down
	fewKills     = 5        // at intervals other than the first
	recoveryLog  = "512MiB" // to which the log is kept
)

// Recovery measures how long after kill -9 serve is back: from before the new
// process starts until all that was acknowledged when the old one died is
// queryable, and so is a new pageview in every partition, which is posted over
// HTTP. The process is serve with HTTP, archive and queries on; the load generator
// is this one, and offers 50,000 events/s through the queue's port all the time.
// The log is kept to a bound with --max-log-size. Kills come at random moments, evenly over
// the interval between snapshots. The baseline is a start after a graceful stop,
// which leaves nothing to replay.
func Recovery(ctx context.Context, o Options) (results []Result, err error) {
	for i, every := range o.Intervals {
		kills := o.Kills
		if i > 0 {
			kills = min(kills, fewKills)
		}
		r, err := recover(ctx, o, every, kills)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

func recover(ctx context.Context, o Options, every time.Duration, kills int) (r Result, err error) {
	v, err := newVictim(ctx, o, every)
	if err != nil {
		return r, err
	}
	if err := v.underLoad(ctx, o, kills); err != nil {
		return r, errors.Join(err, v.end())
	}
	v.listening = 0
	times, err := v.killAll(ctx, o, kills)
	if err != nil {
		return r, errors.Join(err, v.end())
	}
	graceful, err := v.graceful(ctx)
	if err := errors.Join(err, v.end()); err != nil {
		return r, err
	}
	r = Result{Name: "recovery", What: fmt.Sprintf("kill -9 until all that was acknowledged is queryable, and new events, snapshots every %v, p99 of %d", every, kills),
		Value: times.at(0.99).Seconds(), Unit: "s"}
	r.against("start after a graceful stop", graceful.Seconds(), "s")
	r.detail("snapshot interval", every.Seconds(), "s")
	r.detail("p50", times.at(0.5).Seconds(), "s")
	r.detail("max", times.at(1).Seconds(), "s")
	r.detail("until it listens, mean", ms(v.listening)/float64(kills), "ms")
	r.detail("events acknowledged", float64(sum(v.acked())), "")
	r.detail("times that the load failed", float64(v.failures), "")
	r.detail("peak resident of serve", v.peak, "MiB")
	return r, nil
}

// victim is serve under load that is killed and started again.
type victim struct {
	serve    func(context.Context) (*served, error)
	every    time.Duration // between snapshots
	proc     *served
	client   *queue.Client
	cancel   context.CancelFunc // ends the load
	load     errgroup.Group
	random   *rand.Rand
	failures int

	startup, listening time.Duration // of the last start until all was queryable; of all starts until they listened
	peak               float64

	mu struct {
		sync.Mutex
		ends []int64 // after the last acknowledged
	}
}

func newVictim(ctx context.Context, o Options, every time.Duration) (*victim, error) {
	dir, err := freshDir(o, "recovery")
	if err != nil {
		return nil, err
	}
	kafka, err := freePort()
	if err != nil {
		return nil, err
	}
	v := &victim{random: rand.New(rand.NewPCG(o.Seed, 1)), cancel: func() {}, every: every}
	v.serve = func(ctx context.Context) (*served, error) {
		return o.serve(ctx, dir, kafka, "--snapshot-every", every.String(), "--max-log-size", recoveryLog)
	}
	v.mu.ends = make([]int64, partitions)
	if err := v.restart(ctx); err != nil {
		return nil, errors.Join(err, v.end())
	}
	v.client, err = queue.Dial(ctx, queue.Config{Brokers: []string{kafka}, Feed: true, Partitions: partitions, Logger: o.Logger})
	if err != nil {
		return nil, errors.Join(err, v.end())
	}
	return v, nil
}

// underLoad feeds the node for longer than the kills take, until the victim's end.
func (v *victim) underLoad(ctx context.Context, o Options, kills int) error {
	long := time.Duration(kills+2) * (2*v.every + 20*time.Second)
	g, err := live(o, 4, recoveryRate, long)
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(ctx)
	v.cancel = cancel
	a := newAppender(v.client, 50_000, v.acknowledged)
	v.load.Go(func() error {
		_, err := feed(run, a, g, recoveryRate)
		if a.drain() != nil {
			v.failures++
		}
		return err
	})
	return nil
}

func (v *victim) acknowledged(_ *message, at queue.Position) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.ends[at.Partition] = max(v.mu.ends[at.Partition], at.Offset+1)
}

func (v *victim) acked() []int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]int64(nil), v.mu.ends...)
}

func (v *victim) killAll(ctx context.Context, o Options, kills int) (times samples, err error) {
	for n := range kills {
		// The first snapshots of a process are taken one interval after its start.
		uptime := v.every + time.Duration(v.random.Int64N(int64(v.every)))
		select {
		case <-time.After(uptime):
		case <-ctx.Done():
			return times, ctx.Err()
		}
		v.peak = max(v.peak, v.proc.peak())
		if err := v.proc.Kill(); err != nil {
			return times, err
		}
		before := v.listening
		if err := v.restart(ctx); err != nil {
			return times, fmt.Errorf("kill %d: %w", n+1, err)
		}
		times.add(v.startup)
		o.Progress("  kill %d of %d after %.1f s: back in %.2f s, it listened after %.2f s", n+1, kills,
			uptime.Seconds(), v.startup.Seconds(), (v.listening - before).Seconds())
	}
	return times, nil
}

// restart starts serve and waits until what is acknowledged by now is queryable.
func (v *victim) restart(ctx context.Context) error {
	began := time.Now()
	p, err := v.serve(ctx)
	if err != nil {
		return err
	}
	v.proc = p
	v.listening += time.Since(began)
	ctx, cancel := context.WithTimeout(ctx, servedStart)
	defer cancel()
	err = p.probe(ctx)
	v.startup = time.Since(began)
	return err
}

// graceful stops serve, without load, and times its start.
func (v *victim) graceful(ctx context.Context) (time.Duration, error) {
	v.cancel()
	if err := v.load.Wait(); err != nil {
		return 0, err
	}
	if err := v.proc.stop(ctx); err != nil {
		return 0, err
	}
	if err := v.restart(ctx); err != nil {
		return 0, err
	}
	return v.startup, nil
}

// end ends everything that still runs.
func (v *victim) end() error {
	v.cancel()
	if v.client != nil {
		v.client.Close() // first: what is on its way to a node that is dead would wait for ever
	}
	err := v.load.Wait()
	if v.proc != nil {
		err = errors.Join(err, v.proc.Kill())
	}
	return err
}
