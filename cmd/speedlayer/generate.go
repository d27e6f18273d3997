package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/sim/generate"
)

type generateFlags struct {
	config   generate.Config
	format   string
	kafka    kafkaFlags
	edgesOut string
	start    string
}

func newGenerate(io streams) *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate --events N --seed S [--format jsonl|combined] [--edges-out FILE] [--kafka HOST:PORT]",
		Short: "Make a realistic stream of pageviews, the same for the same seed",
		Long: `Makes a realistic stream, byte for byte the same for the same flags: pages by
Zipf's law, visits, bots, duplicates, late and out-of-order pageviews, equiv
edges. It goes to standard output, or with --kafka to the topics of a broker.

Equiv edges are no pageviews: with --format jsonl they go to the file of
--edges-out, as JSON lines of the topic equivs, or nowhere; a log has none.
With --kafka they go to their topic.`,
		Example: `  speedlayer generate --events 100000 --seed 1 --edges-out edges.jsonl | speedlayer import --format jsonl -
  speedlayer generate --events 1000000 --seed 2 --kafka 127.0.0.1:9092
  speedlayer generate --events 1000 --seed 3 --format combined --domains 1 --start now-2h`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("events") {
				return usagef("--events is missing: allowed is a number of pageviews, 0 or more")
			}
			return runGenerate(cmd.Context(), io, f)
		},
	}
	flags, c := cmd.Flags(), &f.config
	flags.Int64Var(&c.Events, "events", 0, "pageviews, duplicates among them")
	flags.Uint64Var(&c.Seed, "seed", 1, "another seed, another stream")
	flags.StringVar(&f.format, "format", "jsonl", "`FORMAT`: jsonl or combined (access log)")
	f.kafka.add(flags, "to write to, in place of standard output")
	flags.StringVar(&f.edgesOut, "edges-out", "", "`FILE` for the equiv edges")
	flags.IntVar(&c.URLs, "urls", 100_000, "pages")
	flags.IntVar(&c.Persons, "persons", 1_000_000, "identifiers")
	flags.IntVar(&c.Domains, "domains", 200, "domains, no more than urls")
	flags.StringVar(&f.start, "start", "2026-01-05T08:00Z", "hour `T` of the first arrival: RFC 3339, now, or now-24h")
	flags.DurationVar(&c.Span, "span", time.Hour, "from the first arrival to the last")
	flags.Float64Var(&c.Duplicates, "duplicates", 0.02, "share of pageviews that are sent again")
	flags.Float64Var(&c.Late, "late", 0.05, "share that are a minute to 4.5 hours late")
	flags.Float64Var(&c.Bots, "bots", 0.1, "share of pageviews by bots")
	flags.Float64Var(&c.Edges, "edges", 0.0005, "equiv edges for each pageview")
	return cmd
}

// generator checks the flags and makes the stream's source.
func (f *generateFlags) generator() (*generate.Generator, error) {
	if f.format != "jsonl" && f.format != "combined" {
		return nil, usagef("--format %q: allowed are jsonl, combined", f.format)
	}
	if len(f.kafka.brokers) > 0 && (f.format != "jsonl" || f.edgesOut != "") {
		return nil, usagef("--kafka excludes --format combined and --edges-out: the topics hold JSON, edges too")
	}
	if f.edgesOut != "" && f.format == "combined" {
		return nil, usagef("--edges-out is for --format jsonl: an access log has no user names that edges could link")
	}
	hours, err := query.ParseHours(f.start, f.start, time.Now())
	if err != nil {
		return nil, usagef("--start %q: allowed is an hour, as in 2026-01-05T08:00Z, now or now-24h", f.start)
	}
	c := f.config
	c.Start = time.Unix(int64(hours.From)*3600, 0).UTC()
	c.Domains = min(c.Domains, c.URLs)
	for _, share := range []*float64{&c.Duplicates, &c.Late, &c.Bots, &c.Edges} {
		if *share < 0 {
			return nil, usagef("a share is %v: allowed is 0 to 1", *share)
		}
		if *share == 0 {
			*share = -1 // in Config, 0 is the default
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"urls", c.URLs}, {"persons", c.Persons}, {"domains", c.Domains}} {
		if n.value < 1 {
			return nil, usagef("--%s %d: allowed is 1 or more", n.name, n.value)
		}
	}
	g, err := generate.New(c)
	if err != nil {
		return nil, usagef("%s", strings.TrimPrefix(err.Error(), "generate: "))
	}
	return g, nil
}

func runGenerate(ctx context.Context, io streams, f generateFlags) (err error) {
	g, err := f.generator()
	if err != nil {
		return err
	}
	kafka, err := f.kafka.config()
	if err != nil {
		return err
	}
	p := newProgress(io.err, "generate")
	defer p.finish()
	// Every thousandth pageview asks the clock.
	progress := func(n int64) {
		if n%1000 == 0 {
			p.update(n, f.config.Events, "pageviews")
		}
	}
	if len(f.kafka.brokers) > 0 {
		return generateToKafka(ctx, io, g, kafka, progress)
	}
	err = generateToStream(ctx, g, io.out, f, progress)
	if errors.Is(err, syscall.EPIPE) {
		return nil // the reader has had enough
	}
	return err
}

// generateToStream writes lines.
func generateToStream(ctx context.Context, g *generate.Generator, w io.Writer, f generateFlags, progress func(int64)) (err error) {
	out, edges := bufio.NewWriterSize(w, 256<<10), bufio.NewWriter(io.Discard)
	if f.edgesOut != "" {
		file, err2 := os.Create(f.edgesOut)
		if err2 != nil {
			return fmt.Errorf("--edges-out: %w", err2)
		}
		edges.Reset(file)
		defer func() { err = errors.Join(err, edges.Flush(), file.Close()) }()
	}
	var e generate.Event
	var line []byte
	for n := int64(0); g.Next(&e); {
		to := out
		switch {
		case e.Kind == generate.Edge && f.format == "combined":
			continue
		case e.Kind == generate.Edge:
			to, line = edges, e.AppendJSON(line[:0])
		case f.format == "combined":
			line = e.AppendCombined(line[:0])
		default:
			line = e.AppendJSON(line[:0])
		}
		if _, err := to.Write(append(line, '\n')); err != nil {
			return err
		}
		if e.Kind == generate.Edge {
			continue
		}
		n++
		if progress(n); n%4096 == 0 && ctx.Err() != nil {
			return errors.Join(ctx.Err(), out.Flush())
		}
	}
	return out.Flush()
}

// generateInFlight is how many records wait for their acknowledgement at most.
const generateInFlight = 50_000

// generateToKafka appends to the topics, and returns when all is durable.
func generateToKafka(ctx context.Context, io streams, g *generate.Generator, kafka queue.Config, progress func(int64)) error {
	kafka.Feed = true
	client, err := queue.Dial(ctx, kafka)
	if err != nil {
		return explainKafka(err)
	}
	defer client.Close()
	group, ctx := errgroup.WithContext(ctx)
	// Edges wait for each other, since the last of a pair decides, but not for
	// pageviews, nor these for them.
	edges := make(chan event.Edge, 1024)
	group.Go(func() error {
		rejected := 0
		for e := range edges {
			switch err := client.AppendEdge(ctx, e); {
			case errors.Is(err, kerr.TopicAuthorizationFailed):
				rejected++
			case err != nil:
				return err
			}
		}
		if rejected > 0 {
			fmt.Fprintf(io.err, "speedlayer: %d equiv edges were not sent: this broker lets nobody else append to %s (send them with `speedlayer equiv add`, or use --edges 0)\n",
				rejected, queue.TopicEquivs)
		}
		return nil
	})
	group.Go(func() error {
		defer close(edges)
		return appendGenerated(ctx, client, g, edges, progress)
	})
	return group.Wait()
}

// kafkaRecord is the memory of one record, used again when it is acknowledged.
type kafkaRecord struct{ person, value []byte }

// appendGenerated appends the pageviews of a stream, and passes its edges on.
func appendGenerated(ctx context.Context, client *queue.Client, g *generate.Generator, edges chan<- event.Edge, progress func(int64)) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	free := make(chan *kafkaRecord, generateInFlight)
	made, n := 0, int64(0)
	take := func() *kafkaRecord { // waits when too many are on their way
		if len(free) == 0 && made < generateInFlight {
			made++
			return &kafkaRecord{}
		}
		return <-free
	}
	var e generate.Event
	for ctx.Err() == nil && g.Next(&e) {
		if e.Kind == generate.Edge {
			select {
			case edges <- event.Edge{ID1: string(e.Person), ID2: string(e.Other), TS: e.TS, Retract: e.Retract}:
			case <-ctx.Done():
			}
			continue
		}
		r := take()
		r.person, r.value = append(r.person[:0], e.Person...), e.AppendJSON(r.value[:0])
		client.Append(ctx, r.person, r.value, func(_ queue.Position, err error) {
			if err != nil {
				fail(err)
			}
			free <- r
		})
		n++
		progress(n)
	}
	for range made { // each comes back, acknowledged or not
		<-free
	}
	return context.Cause(ctx)
}
