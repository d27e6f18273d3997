package worlds

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/view"
)

// startProcessor begins a processor of a partition. Others of it may be alive.
func (w *world) startProcessor(p *partition) {
	w.processors++
	name := fmt.Sprintf("processor %d of partition %d", w.processors, p.shard.Partition)
	for _, t := range w.tasks {
		w.sawIf(TakeOverBesideAnother, t.part == p)
	}
	t := w.spawn(name, func(t *task) {
		if err := w.process(t, p); !errors.Is(err, errKilled) {
			w.trace("ends: %v", err)
		}
	})
	t.part, t.put = p, map[store.Key]bool{}
}

// process is the life of one processor: take over, then batches as they come.
func (w *world) process(t *task, p *partition) error {
	proc, err := microbatch.Load(context.Background(), microbatch.Config{
		Store: w.store, Shard: p.shard, Epoch: w.epoch, Topic: queue.TopicPageviews,
		Operator: view.NewPageviews(view.Limits{Slots: w.slots, Bytes: w.bytes,
			Deltas: w.deltas, DeltaFrom: 2}),
		Sink:  &sink{w: w, part: p},
		Retry: func(_ context.Context, _ int, err error) error { return w.retry(err) },
	})
	if err != nil {
		if errors.Is(err, microbatch.ErrGap) {
			w.fail("the snapshot's chunks are gone: %v", err)
		}
		return err
	}
	w.tookOver(t, p, proc)
	for {
		if proc.Next() < p.start {
			return w.logTrimmed(p, proc.Next())
		}
		recs := p.read(proc.Next(), w.batchSize())
		if len(recs) == 0 {
			if proc.Uncommitted() > 0 {
				if err := proc.Commit(context.Background()); err != nil {
					return err
				}
			}
			if err := w.pause("the end of the log"); err != nil {
				return err
			}
			continue
		}
		w.sawIf(ReplayOfDroppedGeneration, w.store.dropped[proc.Counts().Generation])
		err := proc.Process(context.Background(), recs)
		spoil(recs)
		if err != nil {
			return err
		}
		w.checkState(p, proc)
		if w.below(3) > 0 {
			if err := proc.Commit(context.Background()); err != nil {
				return err
			}
		}
		if w.below(4) == 3 {
			w.takeSnapshot(p, proc)
		}
		if err := w.pause("the next batch"); err != nil {
			return err
		}
	}
}

func (w *world) batchSize() int {
	if w.calm {
		return 1 << 10
	}
	return w.batch * (1 + w.below(4))
}

// retry is asked when the store or the sink failed: again, unless it is dead.
func (w *world) retry(err error) error {
	switch {
	case errors.Is(err, errKilled):
		return err
	case !errors.Is(err, errLost):
		w.fail("a processor met an error that no store gave: %v", err)
		return errKilled
	}
	return w.pause("another attempt")
}

func (w *world) tookOver(t *task, p *partition, proc *microbatch.Processor) {
	w.trace("takes over at %d, the commit is at %d", proc.Next(), proc.Committed())
	_, named := w.store.names[p.shard]
	switch {
	case proc.Next() == proc.Committed():
		w.sawIf(TakeOverAtCommit, proc.Next() > 0)
	case named && proc.Next() > 0:
		w.saw(TakeOverFromOlderSnapshot)
	default:
		w.saw(TakeOverFromStart)
	}
}

// logTrimmed is what the runner does when the log begins above its position:
// it reads the snapshot's row again, and only if that does not help it is a gap.
func (w *world) logTrimmed(p *partition, next int64) error {
	w.saw(LogTrimmedBelowProcessor)
	if w.store.names[p.shard].Offset < p.start {
		w.fail("the log of %v begins at %d, above the snapshot at %d", p.shard, p.start, w.store.names[p.shard].Offset)
	}
	return fmt.Errorf("record %d is gone, the log begins at %d", next, p.start)
}

// takeSnapshot saves the state beside the processor, which moves on.
func (w *world) takeSnapshot(p *partition, proc *microbatch.Processor) {
	offset, state := proc.Next(), proc.AppendState(nil)
	w.spawn(fmt.Sprintf("snapshot at %d of partition %d", offset, p.shard.Partition), func(*task) {
		_ = microbatch.SaveSnapshot(context.Background(), w.store, p.shard, offset, state) // the one before stays
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
		if err := s.w.call("sending a record on"); err != nil {
			s.w.sawIf(ReroutedSentAgain, i > 0)
			return err
		}
		s.w.checkOutgoing(s.part, &out[i])
		if out[i].Dead {
			s.part.buried[out[i].Source.Offset] = true
			continue
		}
		target := s.w.parts[out[i].Target]
		target.sent[out[i].Source] = true
		s.w.append(target, bytes.Clone(out[i].Record.Key), bytes.Clone(out[i].Value),
			kgo.RecordHeader{Key: record.ReroutedHeader, Value: []byte(out[i].Source.String())})
	}
	if s.w.fault(12) {
		s.w.saw(ReroutedSentAgain)
		return errLost
	}
	return nil
}
