package bench

import (
	"context"
	"time"

	"speedlayer/sim/generate"
)

// sampleEvery is how many events share one measurement of latency.
const sampleEvery = 8

// feed appends events at a rate until they end or ctx does, each when it is due:
// one that is sent late is still due when it was, so that a system that stalls
// does not hide it. Rate 0 sends as fast as it is taken. It returns how many
// were sent.
func feed(ctx context.Context, a *appender, g *generate.Generator, rate float64) (n int64, err error) {
	began := time.Now()
	var e generate.Event
	for g.Next(&e) {
		if e.Kind != generate.Pageview {
			continue
		}
		due := time.Now()
		if rate > 0 {
			due = began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
			if wait := time.Until(due); wait > time.Millisecond {
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					return n, nil
				}
			}
		}
		if n%sampleEvery != 0 {
			due = time.Time{} // not measured
		}
		if err := a.append(ctx, &e, due); err != nil {
			if ctx.Err() != nil {
				return n, nil
			}
			return n, err
		}
		n++
	}
	return n, nil
}

// live is a stream that happens now, at a rate.
func live(o Options, seed uint64, rate float64, d time.Duration) (*generate.Generator, error) {
	return generate.New(generate.Config{Events: int64(rate * d.Seconds()), Seed: o.Seed + seed, Start: time.Now(), Span: d})
}
