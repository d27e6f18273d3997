package catalog

import (
	"context"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// EnsureEpoch compares the topic with the newest log epoch and begins another
// if it is not the same incarnation of the log: a recreated topic, another number of
// partitions, a log that ends below a commit, or one that begins above what a
// processor needs. It returns the epoch to work in, and why it began if it did.
// Any number of processes may call it at once, but none may be at work in the
// epoch before: see EnsureEpochShared. s are the settings of the newest
// generation; a fresh store begins with them.
func EnsureEpoch(ctx context.Context, st store.Store, topic queue.TopicInfo, s record.Settings) (e store.Epoch, reason string, err error) {
	return EnsureEpochShared(ctx, EpochConfig{Store: st, Settings: s,
		Topic: func(context.Context) (queue.TopicInfo, error) { return topic, nil }})
}

func firstEpoch(t queue.TopicInfo, s record.Settings) store.Epoch {
	return store.Epoch{TopicID: t.ID, Partitions: t.Partitions, Starts: t.Starts, Settings: s.String()}
}

// makeGeneration makes the table of a fresh store's first generation and enters
// it in the list. Later ones begin in settings.go and with batch runs.
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
	_, err = Update(ctx, st, func(p *store.Pointer) (bool, error) {
		if len(p.Generations) > 0 {
			return false, nil // another process was first
		}
		p.Next, p.Generations, p.Settings, p.Marked = g+1, []uint32{g}, settings, true
		return true, nil
	})
	return err
}

// Position is a partition's commit and the offset from which its log is needed.
func Position(ctx context.Context, st store.Store, e store.Epoch, partition int32) (commit, needed int64, err error) {
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

// nextEpoch begins where the old epoch's commits stand, or what the batch layer
// has absorbed if that is more, as far as the log has that: what lies below was
// counted already. A recreated topic, and partitions that are new, begin at the
// log's start. It begins in the newest generation of all: no later batch run may
// leave its events behind in one that it has absorbed.
func nextEpoch(ctx context.Context, st store.Store, last store.Epoch, t queue.TopicInfo, s record.Settings) (store.Epoch, error) {
	e := firstEpoch(t, s)
	e.Number, e.Generation = last.Number+1, last.Generation
	e.Starts = append([]int64(nil), t.Starts...)
	p, err := st.Pointer(ctx)
	if err != nil {
		return e, err
	}
	if n := len(p.Generations); n > 0 {
		e.Generation = max(e.Generation, p.Generations[n-1])
	}
	for part := range last.Partitions {
		commit, _, err := Position(ctx, st, last, part)
		if err != nil {
			return e, err
		}
		commit = max(commit, absorbed(p.Current, last.Number, part))
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

// absorbed is how far a batch run has absorbed a shard; 0 if it has not.
func absorbed(run *store.Run, epoch uint32, part int32) int64 {
	if run == nil {
		return 0
	}
	for _, v := range run.Vector {
		if v.Epoch == epoch && v.Partition == part {
			return v.Offset
		}
	}
	return 0
}
