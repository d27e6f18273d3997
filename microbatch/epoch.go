package microbatch

import (
	"context"
	"errors"
	"fmt"

	"speedlayer/queue"
	"speedlayer/store"
)

// EnsureEpoch compares the topic with the newest log epoch and begins another
// if it is not the same life of the log: a topic made anew, another number of
// partitions, a log that ends below a commit, or one that begins above what a
// processor needs. It returns the epoch to work in, and why it began if it did.
// Any number of processes may call it at once. s are the settings of the newest
// generation; a fresh store begins with them.
func EnsureEpoch(ctx context.Context, st store.Store, topic queue.TopicInfo, s Settings) (e store.Epoch, reason string, err error) {
	for {
		epochs, err := st.Epochs(ctx)
		if err != nil {
			return store.Epoch{}, "", err
		}
		if len(epochs) == 0 {
			e, reason = firstEpoch(topic, s), "the first"
		} else {
			last := epochs[len(epochs)-1]
			if reason, err = otherLife(ctx, st, last, topic); err != nil {
				return store.Epoch{}, "", err
			}
			if reason == "" {
				return last, "", nil
			}
			if e, err = nextEpoch(ctx, st, last, topic, s); err != nil {
				return store.Epoch{}, "", err
			}
		}
		e.Reason = reason
		if err := makeGeneration(ctx, st, e.Generation, e.Settings); err != nil {
			return store.Epoch{}, "", err
		}
		err = st.AppendEpoch(ctx, e)
		if err == nil {
			return e, reason, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return store.Epoch{}, "", err
		}
	}
}

func firstEpoch(t queue.TopicInfo, s Settings) store.Epoch {
	return store.Epoch{TopicID: t.ID, Partitions: t.Partitions, Starts: t.Starts, Settings: s.String()}
}

// makeGeneration makes the table of a fresh store's first generation and enters
// it in the list. Later ones are made by package expire.
func makeGeneration(ctx context.Context, st store.Store, g uint32, settings string) error {
	p, err := st.Pointer(ctx)
	if err != nil {
		return err
	}
	if len(p.Generations) > 0 {
		return nil
	}
	if err := st.CreateGeneration(ctx, g); err != nil {
		return err
	}
	next := store.Pointer{Counter: p.Counter + 1, Next: g + 1, Generations: []uint32{g},
		Settings: settings, Marked: true}
	if err := st.SwapPointer(ctx, p.Counter, next); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

// otherLife says why the topic is not the epoch's, or "".
func otherLife(ctx context.Context, st store.Store, e store.Epoch, t queue.TopicInfo) (string, error) {
	if t.ID != e.TopicID {
		return fmt.Sprintf("the topic was made anew: its id is %s, not %s", t.ID, e.TopicID), nil
	}
	if t.Partitions != e.Partitions {
		return fmt.Sprintf("the topic has %d partitions, not %d", t.Partitions, e.Partitions), nil
	}
	for part := range e.Partitions {
		shard := store.Shard{Epoch: e.Number, Partition: part}
		commit, needed, err := position(ctx, st, e, part)
		if err != nil {
			return "", err
		}
		if t.Ends[part] < commit {
			return fmt.Sprintf("the log of %v ends at %d, below the commit at %d: its last writes were lost", shard, t.Ends[part], commit), nil
		}
		if t.Starts[part] > needed {
			return fmt.Sprintf("the log of %v begins at %d, above the snapshot at %d", shard, t.Starts[part], needed), nil
		}
	}
	return "", nil
}

// position is a partition's commit and the offset from which its log is needed.
func position(ctx context.Context, st store.Store, e store.Epoch, partition int32) (commit, needed int64, err error) {
	shard := store.Shard{Epoch: e.Number, Partition: partition}
	commit, needed = e.Starts[partition], e.Starts[partition]
	c, found, err := st.Commit(ctx, shard)
	if err != nil {
		return 0, 0, err
	}
	if found {
		commit = c.Offset
	}
	n, found, err := st.Snapshot(ctx, shard)
	if err != nil {
		return 0, 0, err
	}
	if found {
		needed = n.Offset
	}
	return commit, needed, nil
}

// nextEpoch begins where the old epoch's commits stand, as far as the log has
// that: what lies below was counted under the old shards. A topic made anew,
// and partitions that are new, begin at the log's start.
func nextEpoch(ctx context.Context, st store.Store, last store.Epoch, t queue.TopicInfo, s Settings) (store.Epoch, error) {
	e := firstEpoch(t, s)
	e.Number, e.Generation = last.Number+1, last.Generation
	e.Starts = append([]int64(nil), t.Starts...)
	for part := range last.Partitions {
		commit, _, err := position(ctx, st, last, part)
		if err != nil {
			return e, err
		}
		if t.ID == last.TopicID && part < t.Partitions {
			e.Starts[part] = min(max(commit, t.Starts[part]), t.Ends[part])
		}
		c, found, err := st.Commit(ctx, store.Shard{Epoch: last.Number, Partition: part})
		if err != nil {
			return e, err
		}
		if found {
			record, err := store.DecodeCommitRecord(c.Record)
			if err != nil {
				return e, err
			}
			e.Generation = max(e.Generation, record.Generation)
		}
	}
	return e, nil
}
