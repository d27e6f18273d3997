package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/microbatch"
	"speedlayer/node"
	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/view"
)

// Views measures log -> durable, deduped views of all three kinds: from the
// start of the node until the last commit is durable, on a log that is full
// already.
// Baselines, on the same log: reading and parsing it and doing nothing, which is
// the limit; and batches of one event, each committed before the next.
//
// With Options.Sizes it is measured for each number of events: a figure that
// falls with the size is not one for every size.
func Views(ctx context.Context, o Options) (results []Result, err error) {
	if len(o.Sizes) == 0 {
		return viewsOf(ctx, o)
	}
	for _, o.Events = range o.Sizes {
		more, err := viewsOf(ctx, o)
		results = append(results, more...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func viewsOf(ctx context.Context, o Options) (results []Result, err error) {
	q, info, err := openLog(ctx, o, time.Hour)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	parsed, err := parseOnly(ctx, q.client, info)
	if err != nil {
		return nil, err
	}
	o.Progress("  reading and parsing: %.0f events/s", parsed.rate(o.Events))
	single, err := oneAtATime(ctx, o, q, info)
	if err != nil {
		return nil, err
	}
	o.Progress("  one at a time: %.0f events/s", single)
	r, err := logToViews(ctx, o, q, info)
	if err != nil {
		return nil, err
	}
	r.against("read and parse, do nothing", parsed.rate(o.Events), "events/s")
	r.against("batches of one event", single, "events/s")
	r.detail("cpu of reading and parsing", parsed.cpuPer(o.Events), "ns/event")
	return []Result{r}, nil
}

func logToViews(ctx context.Context, o Options, q *logQueue, info queue.TopicInfo) (r Result, err error) {
	dir, err := freshDir(o, "store")
	if err != nil {
		return r, err
	}
	var w written
	config := q.node(o, dir)
	config.Observe = w.observe
	m := startMeter()
	n, err := node.Open(ctx, config)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := n.CatchUp(ctx); err != nil {
		return r, err
	}
	c := m.stop()
	counts, err := counts(ctx, n.Store())
	if err != nil {
		return r, err
	}
	if counts.Records != o.Events || counts.Events+counts.Duplicates != o.Events {
		return r, fmt.Errorf("of %d records %d were read, %d counted, %d duplicates, %d rejected, %d rerouted: the measurement is void",
			o.Events, counts.Records, counts.Events, counts.Duplicates, counts.Rejected, counts.ReroutedOut)
	}
	r = Result{Name: "views", What: "log to durable, deduped views of all three kinds", Value: c.rate(o.Events), Unit: "events/s"}
	c.add(&r, o.Events)
	r.detail("events", float64(o.Events), "")
	r.detail("duplicates dropped", float64(counts.Duplicates), "")
	w.add(&r, o.Events)
	return r, nil
}

// parseOnly reads the log as the processors do, a reader for each partition, and
// decodes every event up to its page.
func parseOnly(ctx context.Context, q *queue.Client, info queue.TopicInfo) (cost, error) {
	m := startMeter()
	g, ctx := errgroup.WithContext(ctx)
	for part := range int32(partitions) {
		g.Go(func() error {
			d := newParser()
			return q.ReadAll(ctx, part, 0, info.Ends[part], d.parse)
		})
	}
	err := g.Wait()
	return m.stop(), err
}

type parser struct {
	decoder event.Decoder
	pv      event.Pageview
	page    []byte
}

func newParser() *parser { return &parser{} }

func (p *parser) parse(r *kgo.Record) (err error) {
	if err = p.decoder.Decode(r.Value, &p.pv); err != nil {
		return err
	}
	p.page, err = event.AppendPage(p.page[:0], p.pv.URL)
	return err
}

// singleTime is for how long batches of one event are run.
const singleTime = 3 * time.Second

// oneAtATime runs the same processors, all partitions at once, with a commit
// after each event, for singleTime; it returns events/s.
func oneAtATime(ctx context.Context, o Options, q *logQueue, info queue.TopicInfo) (rate float64, err error) {
	dir, err := freshDir(o, "store-single")
	if err != nil {
		return 0, err
	}
	n, err := node.OpenBackends(ctx, q.node(o, dir))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	epoch, _, err := catalog.EnsureEpoch(ctx, n.Store(), info, view.Defaults())
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var events [partitions]int64
	g, work := errgroup.WithContext(ctx)
	began := time.Now()
	for part := range int32(partitions) {
		g.Go(func() error {
			n, err := single(work, n, epoch, part, info.Ends[part], began.Add(min(singleTime, o.Time)))
			events[part] = n
			return err
		})
	}
	err = g.Wait()
	return float64(sum(events[:])) / time.Since(began).Seconds(), err
}

// single is a processor whose every batch is one event.
func single(ctx context.Context, on *node.Node, epoch store.Epoch, part int32, end int64, until time.Time) (n int64, err error) {
	p, err := microbatch.Load(ctx, microbatch.Config{
		Store: on.Store(), Shard: store.Shard{Epoch: epoch.Number, Partition: part}, Epoch: epoch,
		Topic: queue.TopicPageviews, Sink: noSink{},
		Operator: view.NewPageviews(view.Limits{Deltas: store.Deltas(on.Store()), Additions: store.Additions(on.Store())}),
	})
	if err != nil {
		return 0, err
	}
	done := errors.New("time is up")
	err = on.Queue().ReadAll(ctx, part, 0, end, func(r *kgo.Record) error {
		if err := p.Process(ctx, []*kgo.Record{r}); err != nil {
			return err
		}
		if err := p.Commit(ctx); err != nil {
			return err
		}
		if n++; time.Now().After(until) {
			return done
		}
		return nil
	})
	if errors.Is(err, done) {
		err = nil
	}
	return n, err
}

// noSink takes nothing: in these logs every record lies where it belongs.
type noSink struct{}

func (noSink) Send(_ context.Context, out []microbatch.Outgoing) error {
	return fmt.Errorf("%d records leave their partition: %s", len(out), out[0].Reason)
}
