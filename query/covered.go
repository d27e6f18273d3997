package query

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"speedlayer/event"
	"speedlayer/store"
)

// These bound how long a result of LogEnds is used, and how long the call may take.
// It asks the queue, which costs more than most queries. And an answer must not
// fail, or wait for long, because the queue is not available.
const (
	endsFresh = 100 * time.Millisecond
	endsTime  = time.Second
)

// logEnds is the last result of LogEnds.
type logEnds struct {
	asking sync.Mutex // held by the caller that asks
	mu     struct {
		sync.Mutex
		at    time.Time
		ends  map[store.Shard]int64 // nil: not known
		asked bool
	}
}

// logEndsNow returns where the log ends, as of a moment ago, or nil if that is not
// known. One caller asks; the others use the previous result.
func (e *Engine) logEndsNow(ctx context.Context) map[store.Shard]int64 {
	if e.cfg.LogEnds == nil {
		return nil
	}
	if ends, ok := e.ends.known(e.cfg.Now()); ok {
		return ends
	}
	if !e.ends.asking.TryLock() {
		if ends, asked := e.ends.last(); asked {
			return ends
		}
		e.ends.asking.Lock() // the very first call: there is no previous result
	}
	defer e.ends.asking.Unlock()
	if ends, ok := e.ends.known(e.cfg.Now()); ok {
		return ends
	}
	ctx, cancel := context.WithTimeout(ctx, endsTime)
	defer cancel()
	ends, err := e.cfg.LogEnds(ctx)
	if err != nil {
		ends = nil
	}
	e.ends.mu.Lock()
	defer e.ends.mu.Unlock()
	e.ends.mu.at, e.ends.mu.ends, e.ends.mu.asked = e.cfg.Now(), ends, true
	return ends
}

func (l *logEnds) known(now time.Time) (map[store.Shard]int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	age := now.Sub(l.mu.at)
	return l.mu.ends, l.mu.asked && age >= 0 && age < endsFresh
}

func (l *logEnds) last() (map[store.Shard]int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.ends, l.mu.asked
}

// Covered returns what an answer would cover now.
func (e *Engine) Covered(ctx context.Context) (c Covered, err error) {
	err = e.read(ctx, func(r *reading) error {
		c, err = e.covered(ctx, r)
		return err
	})
	return c, err
}

// covered returns what a reading covers. Where the log ends is known as of a moment
// ago. The copy of a record that was rerouted to another partition since then would be
// missing from the lag, so the queue is asked again while copies are on their way.
func (e *Engine) covered(ctx context.Context, r *reading) (Covered, error) {
	c, moving, err := e.coveredBy(ctx, r, e.logEndsNow(ctx))
	if err != nil || !moving || *c.Lag > 0 || e.cfg.LogEndsAsked == nil {
		return c, err
	}
	asked, cancel := context.WithTimeout(ctx, endsTime)
	defer cancel()
	ends, err := e.cfg.LogEndsAsked(asked)
	if err != nil {
		ends = nil // lag is not known
	}
	c, _, err = e.coveredBy(ctx, r, ends)
	return c, err
}

// coveredBy returns what a reading covers of a log with these ends, and whether more
// records have left a partition of it for another than have arrived there.
func (e *Engine) coveredBy(ctx context.Context, r *reading, ends map[store.Shard]int64) (_ Covered, moving bool, _ error) {
	c := Covered{Position: make([]Position, len(r.commits)), Settled: !r.ahead}
	now := e.cfg.Now().UnixMilli()
	var lag, age, newest, pending int64
	with := 0 // shards of ends that have a commit
	for i := range r.commits {
		sc := &r.commits[i]
		c.Position[i] = Position{sc.Shard.Epoch, sc.Shard.Partition, sc.Commit.Offset}
		var rec store.CommitRecord
		if len(sc.Commit.Record) > 0 {
			var err error
			if rec, err = store.DecodeCommitRecord(sc.Commit.Record); err != nil {
				return c, false, fmt.Errorf("commit of %v: %w", sc.Shard, err)
			}
		}
		c.Events += rec.Events
		newest = max(newest, rec.LogTime)
		if end, ok := ends[sc.Shard]; ok {
			with++
			pending += rec.ReroutedOut - (rec.ReroutedIn - rec.ReroutedAgain)
			if end > sc.Commit.Offset {
				lag += end - sc.Commit.Offset
				age = max(age, now-rec.LogTime)
			}
		}
	}
	if newest > 0 {
		c.LogTime = event.FormatTime(newest)
	}
	if ends == nil {
		return c, false, nil
	}
	if with < len(ends) {
		more, err := uncommitted(ctx, r, ends)
		if err != nil {
			return c, false, err
		}
		if lag += more; more > 0 && newest > 0 {
			age = max(age, now-newest)
		}
	}
	seconds := math.Max(0, float64(age)/1000)
	c.Lag, c.AgeSeconds = &lag, &seconds
	return c, pending > 0, nil
}

// uncommitted counts the records of shards that have no commit row yet.
func uncommitted(ctx context.Context, r *reading, ends map[store.Shard]int64) (int64, error) {
	epochs, err := r.Epochs(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the log epochs: %w", err)
	}
	starts := make(map[store.Shard]int64)
	for _, e := range epochs {
		for part, start := range e.Starts {
			starts[store.Shard{Epoch: e.Number, Partition: int32(part)}] = start
		}
	}
	committed := make(map[store.Shard]bool, len(r.commits))
	for i := range r.commits {
		committed[r.commits[i].Shard] = true
	}
	var n int64
	for s, end := range ends {
		if !committed[s] {
			n += max(0, end-starts[s])
		}
	}
	return n, nil
}
