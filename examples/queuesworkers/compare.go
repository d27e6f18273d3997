package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// sources has each variant.source.
//
//go:embed workers.go microbatches.go
var sources embed.FS

type options struct {
	events, kills int
	seed          uint64
}

// outcome is a row of the table.
type outcome struct {
	rate          float64 // pageviews a second
	p50, p99      time.Duration
	lost, doubled uint64
}

// compare runs all systems, and prints the table to out and its progress to log.
func compare(ctx context.Context, o options, out, log io.Writer) error {
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	fmt.Fprintf(log, "seed %d\n", o.seed)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\tpageviews/s\tp50\tp99\tlost\tdoubled\tlines of code")
	for _, v := range variants {
		fmt.Fprintf(log, "%s: %d pageviews, %d kills\n", v.name, 2*o.events*v.scale, o.kills)
		r, err := measure(ctx, v, o)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		code, err := sources.ReadFile(v.source)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.1f ms\t%.1f ms\t%d\t%d\t%d\n", v.name, r.rate, millis(r.p50), millis(r.p99), r.lost, r.doubled, bytes.Count(code, []byte("\n")))
	}
	return w.Flush()
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
