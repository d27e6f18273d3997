package node

import (
	"context"
	"errors"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch/archive"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/view"
)

// seedFromLog makes a store with the generations whose markers the log has, and the log
// epochs that the archive has. A log without markers, and without earlier epochs, needs
// none.
func seedFromLog(ctx context.Context, c Config, dir string) (*control, error) {
	n, err := OpenBackends(ctx, c)
	if err != nil {
		return nil, err
	}
	topic, err := n.queue.Info(ctx)
	var newest record.Marker
	var epochs []store.Epoch
	if err == nil {
		newest, err = n.newestMarker(ctx, &topic)
	}
	if err == nil {
		epochs, err = n.archivedEpochs(ctx)
	}
	if err := errors.Join(err, n.Close()); err != nil {
		return nil, err
	}
	if len(epochs) == 0 || len(epochs) == 1 && epochs[0].TopicID == topic.ID {
		if newest.Generation == 0 {
			return nil, nil
		}
		epochs = []store.Epoch{{TopicID: topic.ID, Partitions: topic.Partitions, Starts: topic.Starts, Reason: "the store was made again"}}
	}
	settings := view.Defaults()
	p := store.Pointer{Next: newest.Generation + 1, Marked: true, Settings: settings.String()}
	if newest.Settings != nil {
		p.Settings = newest.Settings.String()
	}
	for g := range p.Next {
		p.Generations = append(p.Generations, g)
	}
	for i := range epochs {
		epochs[i].Settings = settings.String()
	}
	if err := os.RemoveAll(dir); err != nil { // OpenBackends made an empty one
		return nil, err
	}
	made := &control{pointer: p, epochs: epochs}
	return made, seed(ctx, dir, made)
}

// newestMarker is the marker of the newest generation that the log has; the zero value
// if there is none.
func (n *Node) newestMarker(ctx context.Context, topic *queue.TopicInfo) (newest record.Marker, err error) {
	for part := range topic.Partitions {
		err = errors.Join(err, n.queue.ReadAll(ctx, part, topic.Starts[part], topic.Ends[part], func(r *kgo.Record) error {
			if m, err := record.ParseMarker(r.Value, view.CheckSettings); err == nil && record.IsMarker(r) && m.Generation > newest.Generation && m.Generation < mostGenerations {
				newest = m
			}
			return nil
		}))
	}
	return newest, err
}

// archivedEpochs are the log epochs that the archive has; none if it lacks the first of
// them.
func (n *Node) archivedEpochs(ctx context.Context) (epochs []store.Epoch, err error) {
	if n.opts.Batch.Archive == NoArchive {
		return nil, nil
	}
	if err := n.openBatch(ctx); err != nil {
		return nil, err
	}
	m, err := n.batch.layer.Archived(ctx)
	if err != nil || m == nil {
		return nil, err
	}
	for i := range m.Shards {
		l := &m.Shards[i]
		if int(l.Epoch) == len(epochs) && l.Partition == 0 {
			epochs = append(epochs, store.Epoch{Number: l.Epoch, TopicID: l.TopicID, Partitions: l.Partitions, Reason: "the store was made again from the archive",
				Starts: make([]int64, l.Partitions)})
		}
		if int(l.Epoch) >= len(epochs) || l.Partition >= epochs[l.Epoch].Partitions {
			return nil, nil
		}
		epochs[l.Epoch].Starts[l.Partition] = l.Start
	}
	return epochs, nil
}

// absorbMissing does a batch run if the archive has records that were not counted
// again: of log epochs before this one, or below the log's start.
func (n *Node) absorbMissing(ctx context.Context, saved *control) (bool, error) {
	if n.opts.Batch.Archive == NoArchive {
		return false, nil
	}
	m, err := n.batch.layer.Archived(ctx)
	if err != nil || m == nil {
		return false, err
	}
	now := n.epochNow()
	missing := false
	for _, l := range m.Shards {
		missing = missing || l.End > l.Start && (l.Epoch < now.Number || int(l.Partition) < len(now.Starts) && l.Start < now.Starts[l.Partition])
	}
	if !missing {
		return false, nil
	}
	if err := n.endClosed(ctx, m, saved); err != nil {
		return false, err
	}
	_, err = n.batch.Run(ctx)
	return err == nil, err
}

// endClosed writes commits of the shards of earlier log epochs, which say how much of
// them the batch run is to absorb: what they were committed up to, as far as the archive
// has that.
func (n *Node) endClosed(ctx context.Context, m *archive.Manifest, saved *control) error {
	epochs, err := n.store.Epochs(ctx)
	if err != nil {
		return err
	}
	for _, l := range m.Shards {
		id := store.Shard{Epoch: l.Epoch, Partition: l.Partition}
		if int(l.Epoch)+1 >= len(epochs) {
			continue // not closed
		}
		if _, found, err := n.store.Commit(ctx, id); err != nil || found {
			if err != nil {
				return err
			}
			continue
		}
		end := l.End
		if saved != nil {
			if was, known := saved.ends[id]; known {
				end = min(end, was)
			}
		}
		// An epoch that the rebuild itself began, on the same topic, has counted what
		// lies above its start.
		next := &epochs[l.Epoch+1]
		began := saved == nil || int(next.Number) >= len(saved.epochs)
		if began && next.TopicID == l.TopicID && int(l.Partition) < len(next.Starts) {
			end = min(end, next.Starts[l.Partition])
		}
		rec := store.CommitRecord{Generation: epochs[l.Epoch].Generation}
		if err := n.store.Apply(ctx, &store.Batch{Shard: id, Commit: store.Commit{Offset: end, Record: rec.Append(nil)}}); err != nil {
			return err
		}
	}
	return nil
}
