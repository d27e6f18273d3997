package topologies

import (
	"bytes"
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/microbatch"
	"speedlayer/record"
	"speedlayer/topology"
)

// startProcessor begins a processor of a partition. Others of it may be alive.
func (w *world) startProcessor(p *partition) {
	w.spawn(true, func() {
		if err := w.process(p); !errors.Is(err, errKilled) && !errors.Is(err, errLost) && w.failure == nil {
			w.fail("a processor ends: %v", err)
		}
	})
}

// partitions are those of each stage's topic.
func (w *world) partitions() (n []int32) {
	for _, g := range w.stages {
		n = append(n, int32(len(g.parts)))
	}
	return n
}

// process is the life of one processor: take over, then batches as they come.
func (w *world) process(p *partition) error {
	g := p.stage
	proc, err := microbatch.Load(context.Background(), microbatch.Config{
		Store: g.store, Shard: p.shard, Epoch: g.epoch, Topic: g.plan.Topic(),
		Operator: g.plan.Operator(w.partitions(), topology.Limits{Slots: w.slots}),
		Sink:     &sink{w, p},
		Retry:    func(_ context.Context, _ int, err error) error { return w.retry(err) },
	})
	if err != nil {
		return err
	}
	if proc.Next() > g.epoch.Starts[p.shard.Partition] {
		w.cov.TakeOvers++
	}
	for {
		recs := p.read(proc.Next(), w.batchSize())
		if len(recs) == 0 {
			if proc.Uncommitted() > 0 {
				if err := proc.Commit(context.Background()); err != nil {
					return err
				}
			}
			if err := w.pause(); err != nil {
				return err
			}
			continue
		}
		err := proc.Process(context.Background(), recs)
		for _, r := range recs { // nothing may keep pointing into them
			clear(r.Value)
			clear(r.Key)
		}
		if err != nil {
			return err
		}
		if w.below(3) > 0 {
			if err := proc.Commit(context.Background()); err != nil {
				return err
			}
		}
		if w.below(4) == 0 {
			w.takeSnapshot(p, proc)
		}
		if err := w.pause(); err != nil {
			return err
		}
	}
}

func (w *world) batchSize() int {
	if w.calm {
		return 1 << 10
	}
	return 1 + w.below(4)
}

// retry is asked when a store or the sink failed: again, unless it is dead.
func (w *world) retry(err error) error {
	if errors.Is(err, errKilled) {
		return err
	}
	if !errors.Is(err, errLost) {
		w.fail("a processor met an error that nothing gave: %v", err)
		return errKilled
	}
	return w.pause()
}

// takeSnapshot saves the state beside the processor, which moves on.
func (w *world) takeSnapshot(p *partition, proc *microbatch.Processor) {
	offset, state := proc.Next(), proc.AppendState(nil)
	had, again := p.states[offset]
	if again && !bytes.Equal(had, state) {
		w.fail("operator state of %v at %d is not what it was in another processor", p.shard, offset)
	}
	p.states[offset] = state
	w.spawn(false, func() {
		_ = microbatch.SaveSnapshot(context.Background(), p.stage.store, p.shard, offset, state) // the one before stays
	})
}

// sink takes what leaves a partition: in order for each target, and it may fail
// half-way, or after all, and be given everything again.
type sink struct {
	w    *world
	part *partition
}

func (s *sink) Send(_ context.Context, out []microbatch.Outgoing) error {
	for i := range out {
		o := &out[i]
		if err := s.w.call(); err != nil {
			if i > 0 {
				s.w.cov.SentHalf++
			}
			return err
		}
		if o.Dead {
			s.w.cov.Rejected++
			continue
		}
		to, key := s.part.stage, []byte(nil)
		if o.Record != nil {
			key = bytes.Clone(o.Record.Key)
			s.w.cov.Rerouted++
		}
		for _, g := range s.w.stages {
			if g.plan.Topic() == o.Topic {
				to = g
				s.w.cov.Forwarded++
			}
		}
		s.w.append(to.parts[o.Target], key, bytes.Clone(o.Value), header(o.Source))
	}
	if s.w.fault(12) {
		s.w.cov.SentAgain++
		return errLost
	}
	return nil
}

func header(from record.Source) kgo.RecordHeader {
	return kgo.RecordHeader{Key: record.ReroutedHeader, Value: []byte(from.String())}
}
