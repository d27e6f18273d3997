package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/sim/bench"
)

func newBench(io streams) *cobra.Command {
	var o bench.Options
	var asJSON bool
	var intervals []time.Duration
	cmd := &cobra.Command{
		Use:   "bench [NAME...] [--events N] [--json]",
		Short: "Measure, each thing against a baseline in the same run",
		Long: `Measures on this machine: views (log to durable views), latency (event to
queryable), query (answers while events come in), recovery (after a kill),
memory (at its peak), post (acknowledged requests) and batch (archive to batch
views). Each result stands beside its baseline. latency, query, recovery and
memory run "speedlayer serve" as a process of its own, with HTTP, archive and
queries on.

Two run only when they are named. They start real Kafka and HBase (Java 17 and
Maven are needed). cluster measures the main job, queries and the kill of a
processor on them. peers runs the main job on speedlayer, Flink, Kafka Streams and
Spark in turn, over the same topic; it needs a Java compiler too.`,
		Example: "  speedlayer bench views --sizes 1000000,3000000,5000000,20000000\n  speedlayer bench cluster\n  speedlayer bench peers --sizes 3000000,9000000",
		RunE: func(cmd *cobra.Command, names []string) error {
			o.Names, o.Intervals = names, intervals
			var err error
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			return runBench(cmd.Context(), io, o, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.Int64Var(&o.Events, "events", 5_000_000, "events in the log")
	flags.Int64SliceVar(&o.Sizes, "sizes", nil, "numbers of events to measure views and peers with, one after the other, in place of --events")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of the stream")
	flags.StringVar(&o.Dir, "dir", "", "`DIR`ectory for logs and stores; a temporary one by default, removed at the end")
	flags.BoolVar(&o.Keep, "keep", false, "keep the log in --dir and use it again")
	flags.Int64Var(&o.Rate, "rate", 100_000, "events/s that come in while queries are measured")
	flags.IntVar(&o.Kills, "kills", 20, "kills of the recovery benchmark")
	flags.DurationSliceVar(&intervals, "intervals", nil, "pauses between snapshots to measure recovery with, the first with all kills, the others with five (default 5s,10s,2s)")
	flags.BoolVar(&asJSON, "json", false, "print results as JSON")
	return cmd
}

func runBench(ctx context.Context, io streams, o bench.Options, asJSON bool) error {
	o.Progress = func(format string, args ...any) { fmt.Fprintf(io.err, format+"\n", args...) }
	results, err := bench.Run(ctx, o)
	if errors.Is(err, bench.ErrUnknown) {
		return usageError{err}
	}
	var shown error
	if asJSON {
		shown = json.NewEncoder(io.out).Encode(results)
	} else {
		shown = printResults(io.out, results)
	}
	return errors.Join(err, shown)
}

func printResults(out io.Writer, results []bench.Result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range results {
		fmt.Fprintf(w, "\n%s\t%s\n", r.Name, r.What)
		fmt.Fprintf(w, "  result\t%s\n", figure(r.Value, r.Unit))
		for _, b := range r.Baselines {
			fmt.Fprintf(w, "  baseline: %s\t%s\t(ratio %.3g)\n", b.Name, figure(b.Value, b.Unit), b.Ratio)
		}
		for _, d := range r.Details {
			fmt.Fprintf(w, "  %s\t%s\n", d.Name, figure(d.Value, d.Unit))
		}
	}
	return w.Flush()
}

func figure(v float64, unit string) string {
	text := fmt.Sprintf("%.3g", v)
	if v >= 1000 {
		text = groups(int64(v))
	}
	return text + " " + unit
}
