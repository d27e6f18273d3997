package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// ErrNotCounted: a marker of the run changed nothing where it lies, or cannot be
// found any more. The run's number is spent; the next run takes another.
var ErrNotCounted = errors.New("batch: the run's marker did not count")

// vector gives the run its vector, if it has none for these log epochs.
func (a *attempt) vector(ctx context.Context) error {
	epochs, err := a.Store.Epochs(ctx)
	if err != nil {
		return err
	}
	if a.p.Running.Vector != nil && coversEpochs(a.p.Running.Vector, epochs) {
		return nil
	}
	a.step("vector", a.number())
	info, err := a.Log.Info(ctx)
	if err != nil {
		return err
	}
	newest := &epochs[len(epochs)-1]
	if info.ID != newest.TopicID || info.Partitions != newest.Partitions {
		return errors.New("the log is not that of the newest log epoch: start a processor, then do the run again")
	}
	v := vectors{log: a.Log, st: a.Store, info: info, number: a.number(), current: a.p.Current, check: a.checkSettings, trust: a.trust()}
	var vector []store.VectorEntry
	for i := range epochs {
		for part := range epochs[i].Partitions {
			offset, err := v.of(ctx, &epochs[i], part, &epochs[i] == newest)
			if err != nil {
				return fmt.Errorf("vector of %v: %w", store.Shard{Epoch: epochs[i].Number, Partition: part}, err)
			}
			vector = append(vector, store.VectorEntry{Epoch: epochs[i].Number, Partition: part, Offset: offset})
		}
	}
	return a.swap(ctx, func(p *store.Pointer) { p.Running.Vector = vector })
}

func coversEpochs(vector []store.VectorEntry, epochs []store.Epoch) bool {
	n := 0
	for i := range epochs {
		n += int(epochs[i].Partitions)
	}
	return len(vector) == n
}

// vectors finds where a generation begins in each shard.
type vectors struct {
	log     RunLog
	st      store.Store
	info    queue.TopicInfo
	number  uint32
	current *store.Run
	check   func(operator string) error
	trust   *record.Trust
}

// of is the offset at which the generation begins in a shard: after the marker
// that counts. It is what the log holds. A commit record is a function of the log
// below its offset, so it may say it too; the answer to an append may not, for
// another record of the same marker may lie before that one.
func (v *vectors) of(ctx context.Context, e *store.Epoch, part int32, newest bool) (int64, error) {
	if e.Generation >= v.number {
		return e.Starts[part], nil // the whole epoch is of the run's generation, or a later one
	}
	shard := store.Shard{Epoch: e.Number, Partition: part}
	from, generation := e.Starts[part], e.Generation
	if v.current != nil {
		at := slices.IndexFunc(v.current.Vector, func(o store.VectorEntry) bool { return o.Epoch == e.Number && o.Partition == part })
		if at >= 0 && v.current.Vector[at].Offset > from {
			from, generation = v.current.Vector[at].Offset, v.current.Number
		}
	}
	c, found, err := v.st.Commit(ctx, shard)
	if err != nil {
		return 0, err
	}
	rec := store.CommitRecord{Generation: e.Generation}
	if found {
		if rec, err = store.DecodeCommitRecord(c.Record); err != nil {
			return 0, err
		}
	}
	switch {
	case rec.Generation == v.number:
		return rec.GenerationStart, nil
	case rec.Generation < v.number && !newest:
		return max(from, c.Offset), nil // the shard ended before the run
	case rec.Generation < v.number && c.Offset >= from:
		from, generation = c.Offset, rec.Generation
	}
	if e.TopicID != v.info.ID || part >= v.info.Partitions || from < v.info.Starts[part] {
		return 0, fmt.Errorf("%w: the log from %d on is gone", ErrNotCounted, from)
	}
	return v.behindMarker(ctx, shard, from, generation)
}

var errFound = errors.New("found")

// behindMarker runs the log from an offset on, where the newest generation is
// known, to the marker that begins the run's.
func (v *vectors) behindMarker(ctx context.Context, shard store.Shard, from int64, newest uint32) (int64, error) {
	behind, part := int64(-1), shard.Partition
	err := v.log.Scan(ctx, part, from, v.info.Ends[part], func(r *kgo.Record) error {
		at := record.Source{Epoch: shard.Epoch, Partition: part, Offset: r.Offset}
		m, ok, err := v.trust.ReadMarker(r, at, v.check)
		if !ok || err != nil || m.Generation <= newest {
			return nil // it changes nothing
		}
		if v.trust != nil && m.Generation > v.number {
			if p, err := v.st.Pointer(ctx); err != nil || m.Generation >= p.Next {
				return err // the processors reject it
			}
		}
		newest = m.Generation
		if newest == v.number {
			behind = r.Offset + 1
		}
		if newest >= v.number {
			return errFound
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errFound):
		return 0, err
	case behind < 0:
		return 0, fmt.Errorf("%w: partition %d has none that counts", ErrNotCounted, part)
	}
	return behind, nil
}
