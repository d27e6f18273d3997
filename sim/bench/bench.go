package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"speedlayer/internal/devcluster"
)

// Options say what to measure, and on how much.
type Options struct {
	Names  []string // benchmarks to run; none is all that are not Explicit
	Events int64    // in the log of views and query; 0 is 5 million
	Sizes  []int64  // views and peers are measured with each of these in place of Events, if there are any
	Seed   uint64   // of the stream
	Dir    string   // for logs and stores; "" is a temporary one, removed at the end

	// Keep leaves the log of views in Dir, and takes one that an earlier run
	// with the same Events and Seed left there.
	Keep bool

	Rate      int64           // events/s of query; 0 is 100,000
	Time      time.Duration   // for how long latency feeds, and query each of its urls; 0 is 10 s
	Kills     int             // of recovery at the first interval, at the others 5 at most; 0 is 20
	Intervals []time.Duration // between snapshots, the rows of recovery's table; none is 5 s, 10 s, 2 s

	// Program is the path of speedlayer, of which latency, query, memory, recovery
	// and cluster run processes.
	Program string

	Progress func(format string, args ...any) // lines for people; nil drops them
	Logger   *slog.Logger                     // of the system measured; nil drops

	spawner *devcluster.Spawner // of the processes
}

// Figure is one number.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// Baseline is what a result is compared with, measured in the same run.
type Baseline struct {
	Figure
	Ratio float64 `json:"ratio"` // of the result's value to this one's
}

// Result is one line of what was measured.
type Result struct {
	Name      string     `json:"name"`
	What      string     `json:"what"`
	Value     float64    `json:"value"`
	Unit      string     `json:"unit"`
	Baselines []Baseline `json:"baselines,omitempty"`
	Details   []Figure   `json:"details,omitempty"`
}

func (r *Result) against(name string, value float64, unit string) {
	b := Baseline{Figure: Figure{name, value, unit}}
	if value != 0 {
		b.Ratio = r.Value / value
	}
	r.Baselines = append(r.Baselines, b)
}

func (r *Result) detail(name string, value float64, unit string) {
	r.Details = append(r.Details, Figure{name, value, unit})
}

// Benchmark measures one thing. Benchmarks of other packages are passed to Run.
type Benchmark struct {
	Name     string
	Run      func(ctx context.Context, o Options) ([]Result, error)
	Explicit bool // runs only when it is named: it needs more than this machine must have
}

// All returns the benchmarks of this package, in the order in which they run.
func All() []Benchmark {
	return []Benchmark{{Name: "views", Run: Views}, {Name: "latency", Run: Latency}, {Name: "query", Run: Query}, {Name: "batch", Run: Batch},
		{Name: "memory", Run: Memory}, {Name: "recovery", Run: Recovery}, {Name: "post", Run: Post},
		{Name: "cluster", Run: Cluster, Explicit: true}, {Name: "peers", Run: Peers, Explicit: true}}
}

// ErrUnknown: a name that is not a benchmark's.
var ErrUnknown = errors.New("bench: no such benchmark")

// Run runs the named benchmarks, of this package and of more, one after the
// other. It returns the results so far with the first error.
func Run(ctx context.Context, o Options, more ...Benchmark) (all []Result, err error) {
	known := append(All(), more...)
	chosen, err := choose(known, o.Names)
	if err != nil {
		return nil, err
	}
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	o.spawner = devcluster.NewSpawner()
	defer o.spawner.Close()
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "speedlayer-bench-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	for _, b := range chosen {
		o.Progress("%s", b.Name)
		results, err := b.Run(ctx, o)
		all = append(all, results...)
		if err != nil {
			return all, fmt.Errorf("benchmark %s: %w", b.Name, err)
		}
	}
	return all, nil
}

func choose(known []Benchmark, names []string) ([]Benchmark, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(known), func(b Benchmark) bool { return b.Explicit }), nil
	}
	var chosen []Benchmark
	for _, name := range names {
		i := slices.IndexFunc(known, func(b Benchmark) bool { return b.Name == name })
		if i < 0 {
			var all []string
			for _, b := range known {
				all = append(all, b.Name)
			}
			return nil, fmt.Errorf("%w: %q: allowed are %s", ErrUnknown, name, strings.Join(all, ", "))
		}
		chosen = append(chosen, known[i])
	}
	return chosen, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Events == 0 {
		o.Events = 5_000_000
	}
	if o.Rate == 0 {
		o.Rate = 100_000
	}
	if o.Time == 0 {
		o.Time = 10 * time.Second
	}
	if len(o.Intervals) == 0 {
		o.Intervals = []time.Duration{5 * time.Second, 10 * time.Second, 2 * time.Second}
	}
	if o.Kills == 0 {
		o.Kills = 20
	}
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if len(o.Sizes) > 0 && slices.Min(o.Sizes) < 10_000 {
		return o, fmt.Errorf("bench: sizes %v: allowed is 10000 or more", o.Sizes)
	}
	if o.Events < 10_000 || o.Rate < 1000 || o.Kills < 1 || o.Time < time.Second || slices.Min(o.Intervals) < 100*time.Millisecond {
		return o, fmt.Errorf("bench: %d events, %d events/s, %v, %d kills, snapshots every %v: allowed are at least 10000, 1000, 1s, 1, 100ms",
			o.Events, o.Rate, o.Time, o.Kills, o.Intervals)
	}
	return o, nil
}
