package days

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/sim/batch"
	"speedlayer/sim/check"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// checker compares the store with the log.
type checker struct {
	m       *machine
	archive archive
	oracles map[store.Shard]*oracle.Oracle
	layer   *batch.Layer
}

// check reads one snapshot of the store, while the system runs, then the log
// that it stands for, and compares commit records and cells.
func (j *checker) check(ctx context.Context) error {
	j.m.counts.add("checks", 1)
	r, err := j.m.store.Read(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	return j.checkReader(ctx, r)
}

// fixed is a store of which every reading is the same one.
type fixed struct{ store.Reader }

func (f fixed) Read(context.Context) (store.Reader, error) { return f, nil }
func (f fixed) Stats(context.Context) (store.Stats, error) { return store.Stats{}, nil }
func (f fixed) Close() error                               { return nil }

func (j *checker) checkReader(ctx context.Context, r store.Reader) error {
	epochs, err := r.Epochs(ctx)
	if err != nil {
		return err
	}
	q, err := j.m.client()
	if err != nil {
		return err
	}
	if err := j.archive.pull(ctx, q); err != nil {
		return err
	}
	if err := oracle.AddEpochs(j.oracles, epochs); err != nil {
		return err
	}
	commits, err := r.Commits(ctx)
	if err != nil {
		return err
	}
	for _, c := range commits {
		if err := j.checkCommit(epochs[c.Shard.Epoch], c); err != nil {
			return err
		}
	}
	return j.checkCells(ctx, r)
}

func (j *checker) checkCommit(e store.Epoch, c store.ShardCommit) error {
	o := j.oracles[c.Shard]
	if c.Commit.Offset < o.Next() {
		return fmt.Errorf("the commit of %v went back from %d to %d", c.Shard, o.Next(), c.Commit.Offset)
	}
	for _, r := range j.archive.topics[e.TopicID][c.Shard.Partition] {
		if r.Offset >= o.Next() && r.Offset < c.Commit.Offset {
			o.Add(r)
		}
	}
	return check.Record(c, o)
}

func (j *checker) checkCells(ctx context.Context, r store.Reader) error {
	p, err := r.Pointer(ctx)
	if err != nil {
		return err
	}
	return check.Cells(ctx, r, p.Generations, j.oracles)
}

// checkAnswers compares what users see with the oracle's answers.
func (j *checker) checkAnswers(ctx context.Context, links [][2]string) error {
	// One moment of the store is looked at, and the oracles are brought there.
	snap, err := j.m.store.Read(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	if err := j.checkReader(ctx, snap); err != nil {
		return err
	}
	edges := query.NewEdges()
	var all []*oracle.Oracle
	for _, o := range j.oracles {
		all = append(all, o)
	}
	p, err := snap.Pointer(ctx)
	if err != nil {
		return err
	}
	want := oracle.NewAnswers(p.Open()[0], all...)
	if p.Current != nil {
		want.Over(j.layer.Oracle(p.Current))
	}
	for _, l := range links {
		edges.Apply(event.Edge{ID1: l[0], ID2: l[1], TS: time.Now().UnixMilli()})
		want.Link(l[0], l[1])
	}
	e := query.New(query.Config{Store: fixed{snap}, Edges: edges, Now: time.Now, Batch: j.layer.Open})
	return check.Export(ctx, e, want.Export(0, math.MaxInt32))
}

// checkCounted: each valid pageview that was acknowledged counts once. A log
// epoch begins without memory of the past, so what was moved at its edge may
// count twice: at most so many.
func (j *checker) checkCounted(valid, twice int) error {
	var events int64
	var cells uint64
	for _, o := range j.oracles {
		events += o.Counts().Events
		for _, k := range o.Keys() {
			if c, _ := o.Cell(k); k.View == oracle.Pageviews && !strings.Contains(k.URL, "/") {
				cells += c.Value.Pageviews
			}
		}
	}
	if events < int64(valid) || events > int64(valid+twice) || cells != uint64(events) {
		return fmt.Errorf("%d pageviews were acknowledged, %d events are counted (at most %d of them twice), %d in cells", valid, events, twice, cells)
	}
	return nil
}

var errNotAll = errors.New("days: not everything is committed in time")

// caughtUp waits until the log is committed to its end, rerouted records too.
func (j *checker) caughtUp(ctx context.Context, p *process) error {
	for range 2000 {
		q, err := j.m.client()
		if err != nil {
			return err
		}
		info, err := q.Info(ctx)
		if err != nil {
			return err
		}
		done := true
		for part, at := range p.progress.Committed() {
			done = done && at >= info.Ends[part]
		}
		if done {
			return nil
		}
		time.Sleep(5 * time.Second)
	}
	return errNotAll
}
