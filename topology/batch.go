package topology

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/microbatch"
	"speedlayer/record"
	"speedlayer/store"
)

// Log is what a partition of the source's topic had in one log epoch, in the order of
// its offsets: records as they lay in the log, such as an archive gives back
// (archive.Row.Record).
type Log struct {
	Epoch      uint32
	Partition  int32
	Partitions int32 // of the topic in that epoch
	Records    iter.Seq2[*kgo.Record, error]
}

// Batch computes the results of a topology from the whole of its source's topic, by the
// same definition that Run runs, in stores of its own below the directory data, which
// must be empty. The caller closes the snapshot.
//
// A record that lies in the wrong partition does not count there: its rerouted copy,
// which the logs have too, does. Markers are left out, so all is one generation.
// Nonces are remembered for 24 days of log time, or 4 Mi of them in a partition.
// Events of one key reach an Update in the order of the logs given.
func Batch(ctx context.Context, t *Topology, data string, logs []Log) (s *Snapshot, err error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	b := &batch{t: t}
	defer func() {
		if err != nil {
			for _, g := range b.stages {
				err = errors.Join(err, g.store.Close())
			}
		}
	}()
	if err := b.open(ctx, data, logs); err != nil {
		return nil, err
	}
	for _, l := range logs {
		if err := b.run(ctx, l); err != nil {
			return nil, fmt.Errorf("topology %s: batch of epoch %d partition %d: %w", t.name, l.Epoch, l.Partition, err)
		}
	}
	var stores []store.Store
	for _, g := range b.stages {
		for _, p := range g.procs {
			if err := p.proc.Commit(ctx); err != nil {
				return nil, err
			}
		}
		stores = append(stores, g.store)
	}
	if s, err = snapshot(ctx, t, stores); err == nil {
		s.closing = stores
	}
	return s, err
}

// batch is a run of Batch.
type batch struct {
	t      *Topology
	stages []*batchStage
}

type batchStage struct {
	*stage
	store    store.Store
	settings string
	parts    int32
	procs    map[store.Shard]*batchProc
}

// batchProc is a processor, and of a stage after the first the end of its topic.
type batchProc struct {
	proc *microbatch.Processor
	end  int64
}

const (
	batchParts  = 1       // of topics of the topology's own: nobody shares the work
	batchCommit = 1 << 17 // records
	batchDedupe = 4 << 20 // entries
)

func (b *batch) open(ctx context.Context, data string, logs []Log) error {
	for _, g := range b.t.stages {
		st, err := openPebble(&Config{Data: data}, g)
		if err != nil {
			return err
		}
		set := record.Settings{DedupeWindow: (24 * 24 * time.Hour).Milliseconds(), DedupeEntries: batchDedupe, Operator: g.settings(b.t)}
		b.stages = append(b.stages, &batchStage{stage: g, store: st, settings: set.String(), parts: batchParts, procs: map[store.Shard]*batchProc{}})
		p, err := st.Pointer(ctx)
		if err != nil {
			return err
		}
		if p.Counter > 0 {
			return fmt.Errorf("topology: %s has results already: a batch run needs an empty directory", data)
		}
		if err := st.CreateGeneration(ctx, 0); err != nil {
			return err
		}
		if err := st.SwapPointer(ctx, 0, store.Pointer{Counter: 1, Next: 1, Generations: []uint32{0}, Settings: set.String(), Marked: true}); err != nil {
			return err
		}
	}
	return nil
}

// proc is the processor of a shard.
func (b *batch) proc(ctx context.Context, g *batchStage, sh store.Shard, partitions int32) (*batchProc, error) {
	if p := g.procs[sh]; p != nil {
		return p, nil
	}
	var parts []int32
	for _, o := range b.stages {
		parts = append(parts, o.parts)
	}
	proc, err := microbatch.Load(ctx, microbatch.Config{Store: g.store, Shard: sh, Topic: g.topic,
		Epoch:    store.Epoch{Number: sh.Epoch, Partitions: partitions, Starts: make([]int64, partitions), Settings: g.settings},
		Operator: newOperator(b.t, g.stage, parts, Limits{}), Sink: batchSink{b},
		Retry: func(_ context.Context, _ int, err error) error { return err }})
	if err != nil {
		return nil, err
	}
	p := &batchProc{proc: proc}
	g.procs[sh] = p
	return p, nil
}

// run runs a log through the first stage.
func (b *batch) run(ctx context.Context, l Log) error {
	if l.Partition < 0 || l.Partition >= l.Partitions {
		return fmt.Errorf("there are %d partitions: allowed are 0 to %d", l.Partitions, l.Partitions-1)
	}
	p, err := b.proc(ctx, b.stages[0], store.Shard{Epoch: l.Epoch, Partition: l.Partition}, l.Partitions)
	if err != nil {
		return err
	}
	some := make([]*kgo.Record, 0, 1000)
	for r, err := range l.Records {
		if err != nil {
			return err
		}
		if record.IsMarker(r) {
			continue
		}
		if some = append(some, r); len(some) == cap(some) {
			if err := p.process(ctx, some); err != nil {
				return err
			}
			some = some[:0]
		}
	}
	return p.process(ctx, some)
}

func (p *batchProc) process(ctx context.Context, recs []*kgo.Record) error {
	if err := p.proc.Process(ctx, recs); err != nil {
		return err
	}
	if p.proc.Uncommitted() < batchCommit && !p.proc.Full() {
		return nil
	}
	return p.proc.Commit(ctx)
}

// batchSink hands what is forwarded to the next stage at once. What is rerouted lies in
// another log already, and what is rejected is of no use.
type batchSink struct{ b *batch }

// Send implements microbatch.Sink.
func (s batchSink) Send(ctx context.Context, out []microbatch.Outgoing) error {
	for i := range out {
		for _, g := range s.b.stages[1:] {
			if o := &out[i]; g.topic == o.Topic {
				p, err := s.b.proc(ctx, g, store.Shard{Partition: o.Target}, g.parts)
				if err != nil {
					return err
				}
				r := &kgo.Record{Topic: g.topic, Partition: o.Target, Offset: p.end, Value: o.Value,
					Headers: []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: o.Source.Append(nil)}}}
				p.end++
				if err := p.process(ctx, []*kgo.Record{r}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
