package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch"
	"speedlayer/catalog"
	"speedlayer/query"
	"speedlayer/queue"
	simbatch "speedlayer/sim/batch"
	"speedlayer/sim/check"
	"speedlayer/store"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// errHole: records below a run's vector were lost before they were archived.
var errHole = errors.New("crash: the archive has a hole")

// Info implements batch.RunLog.
func (t *topic) Info(context.Context) (queue.TopicInfo, error) { return t.info(), nil }

// Scan implements batch.RunLog.
func (t *topic) Scan(_ context.Context, part int32, from, to int64, fn func(*kgo.Record) error) error {
	for _, r := range t.from(part, from) {
		if r.Offset >= to {
			return nil
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// newLayer is the batch layer of a life: results outlive it, like the log.
func (l *life) newLayer(results *simbatch.Layer) *simbatch.Layer {
	layer := &simbatch.Layer{}
	if results != nil {
		layer = results.Copy()
	}
	layer.Logs, layer.Wait = l.archived, l.meanwhile
	return layer
}

// archived is the log below a vector, as an archive has it that was written all
// along. What a log lost with its end is not there.
func (l *life) archived(vector []store.VectorEntry) (logs []simbatch.Log, err error) {
	epochs, err := l.store.Epochs(context.Background())
	if err != nil {
		return nil, err
	}
	for _, v := range vector {
		if v.Epoch < l.log.incarnations {
			return nil, errHole
		}
		o, err := oracle.EpochOptions(epochs[v.Epoch], v.Partition)
		if err != nil {
			return nil, err
		}
		log := simbatch.Log{Options: o}
		for _, r := range l.log.parts[v.Partition].recs {
			if r.Offset >= o.Start && r.Offset < v.Offset {
				log.Records = append(log.Records, oracleRecord(r))
			}
		}
		logs = append(logs, log)
	}
	return logs, nil
}

// meanwhile is what happens while a run works.
func (l *life) meanwhile(string) error {
	if l.stopped.Load() {
		return errDied
	}
	for range l.rng.IntN(3) {
		part := l.rng.IntN(len(l.log.parts))
		l.traffic.append(l.log, l.rng.IntN(5))
		if err := errors.Join(l.process(part), l.commit(part)); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) newRuns() *batch.Runs {
	return &batch.Runs{Store: l.store, Log: l.log, Job: l.layer, CheckSettings: view.CheckSettings, Owner: "life",
		Now: func() time.Time { return time.UnixMilli(l.log.now) },
		Step: func(step string, _ uint32) {
			l.did("run: " + step)
			if step == "drop" {
				l.did("generation dropped")
			}
		}}
}

// batchRun does a batch run, or the failed one again, and asks everything after
// it. It may be cut or fail anywhere.
func (l *life) batchRun() error {
	p, err := l.store.Pointer(context.Background())
	if err != nil {
		return err
	}
	if p.Running != nil {
		l.did("run done again")
	}
	l.inRun.Store(true)
	_, err = l.newRuns().Run(context.Background())
	l.inRun.Store(false)
	switch {
	case l.stopped.Load():
		return nil
	case err == nil:
		l.did("run completed")
	case errors.Is(err, batch.ErrNotCounted):
		l.did("run failed for good")
	case errors.Is(err, errHole), strings.Contains(err.Error(), "injected error"):
		l.did("run failed")
	default:
		return fmt.Errorf("batch run: %w", err)
	}
	return l.checkAll()
}

func (l *life) rollback() error {
	_, err := catalog.Rollback(context.Background(), l.store)
	switch {
	case err == nil:
		l.did("rolled back")
	case errors.Is(err, catalog.ErrNoRollback):
	case strings.Contains(err.Error(), "injected error"):
		l.did("rollback lost")
	default:
		return err
	}
	return l.checkAll()
}

// lastRuns absorb everything, twice: then the store has what two runs need.
func (l *life) lastRuns() error {
	if l.log.incarnations > 0 || l.w.NoRuns {
		return nil // what was lost with the end of the log cannot be absorbed
	}
	for range 3 { // one may find that its number is spent
		if err := l.batchRun(); err != nil || l.stopped.Load() {
			return err
		}
	}
	stats, err := l.store.Stats(context.Background())
	if err == nil && len(stats.Generations) > 2 {
		err = fmt.Errorf("after two runs the store has the generations %v", stats.Generations)
	}
	if runs := l.layer.Runs(); len(runs) > 2 {
		err = errors.Join(err, fmt.Errorf("after two runs there are views of %v", runs))
	}
	return err
}

// checkAnswers compares every cell that a query would read, merged over batch
// views and open generations, with the oracle's.
func (l *life) checkAnswers(ctx context.Context) error {
	p, err := l.store.Pointer(ctx)
	if err != nil || len(p.Generations) == 0 {
		return err
	}
	if p.Running == nil && p.Current != nil {
		l.did("answers over batch views")
	}
	a := oracle.NewAnswers(p.Open()[0], slices.Collect(maps.Values(l.oracle))...)
	if p.Current != nil {
		base := l.layer.Oracle(p.Current)
		if base == nil {
			return fmt.Errorf("the pointer names run %d, whose views are not there", p.Current.Number)
		}
		a.Over(base)
	}
	e := query.New(query.Config{Store: l.store, Edges: query.NewEdges(), Now: func() time.Time { return time.UnixMilli(l.log.now) }, Batch: l.layer.Open})
	err = check.Export(ctx, e, a.Export(0, 1<<30))
	if err != nil {
		return fmt.Errorf("answers by the pointer %+v: %w", p, err)
	}
	return nil
}
