package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch/archive"
	"speedlayer/event"
	"speedlayer/internal/objects"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/sim/generate"
	"speedlayer/store"
)

// archiveRows are archived at a time: what is in memory of the log.
const archiveRows = 1 << 20

// batchLog is the log that an archiver reads: the records that it has not
// archived yet, in memory.
type batchLog struct {
	epoch   store.Epoch
	records [partitions][]kgo.Record
	begin   [partitions]int64 // offset of the first of them
	rows    int
	edges   []kgo.Record
	memory  []byte
}

// openArchive returns an archive of o.Events pageviews of a span and of their
// edges, and its manifest.
func openArchive(ctx context.Context, o Options, span time.Duration) (a *archive.Archive, m *archive.Manifest, err error) {
	name := fmt.Sprintf("archive-%d-%d-%v", o.Events, o.Seed, span)
	dir := filepath.Join(o.Dir, name)
	full := filepath.Join(dir, "FULL") // marks that all events are in it
	if _, err := os.Stat(full); err != nil || !o.Keep {
		if _, err := freshDir(o, name); err != nil {
			return nil, nil, err
		}
		if err := makeArchive(ctx, o, dir, span); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			return nil, nil, err
		}
	}
	if a, err = archive.Open(filepath.Join(dir, "objects")); err != nil {
		return nil, nil, err
	}
	s, err := a.Snapshot(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	return a, s.Manifest, nil
}

func makeArchive(ctx context.Context, o Options, dir string, span time.Duration) (err error) {
	lies, err := objects.Open(filepath.Join(dir, "objects"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lies.Close()) }()
	l := &batchLog{epoch: store.Epoch{TopicID: "bench", Partitions: partitions, Starts: make([]int64, partitions)}}
	a, err := archive.NewArchiver(archive.Config{Objects: lies, Source: l, Commits: l, TempDir: dir, Logger: o.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	// Always the same days, so that the same seed is the same archive.
	g, err := generate.New(generate.Config{Events: o.Events, Seed: o.Seed, Span: span})
	if err != nil {
		return err
	}
	var e generate.Event
	for more := true; more; {
		if more = g.Next(&e); more {
			l.add(&e)
		}
		if l.rows == archiveRows || !more {
			if _, err := a.Archive(ctx); err != nil {
				return err
			}
			o.Progress("  archived %d events", l.archived())
		}
	}
	return nil
}

func (l *batchLog) keep(b []byte) []byte {
	n := len(l.memory)
	l.memory = append(l.memory, b...)
	return l.memory[n:len(l.memory):len(l.memory)]
}

func (l *batchLog) add(e *generate.Event) {
	if e.Kind != generate.Pageview {
		edge := event.Edge{ID1: string(e.Person), ID2: string(e.Other), TS: e.TS, Retract: e.Retract}
		l.edges = append(l.edges, kgo.Record{Offset: int64(len(l.edges)), Value: edge.AppendJSON(nil), Timestamp: time.UnixMilli(e.Arrival)})
		return
	}
	part := record.PartitionOf(e.Person, partitions)
	recs := l.records[part]
	person := l.keep(e.Person)
	l.records[part] = append(recs, kgo.Record{Offset: l.begin[part] + int64(len(recs)), Key: person,
		Value: l.keep(e.AppendJSON(nil)), Timestamp: time.UnixMilli(e.Arrival)})
	l.rows++
}

// archived forgets what is archived, and reports how much that is by now.
func (l *batchLog) archived() (n int64) {
	for part := range l.records {
		l.begin[part] += int64(len(l.records[part]))
		n += l.begin[part]
		l.records[part] = l.records[part][:0]
	}
	l.memory, l.rows = l.memory[:0], 0
	return n
}

// Epochs implements archive.Commits.
func (l *batchLog) Epochs(context.Context) ([]store.Epoch, error) {
	return []store.Epoch{l.epoch}, nil
}

// Commit implements archive.Commits.
func (l *batchLog) Commit(_ context.Context, s store.Shard) (store.Commit, bool, error) {
	return store.Commit{Offset: l.begin[s.Partition] + int64(len(l.records[s.Partition]))}, true, nil
}

// ReadAll implements archive.Source.
func (l *batchLog) ReadAll(_ context.Context, part int32, from, to int64, fn func(*kgo.Record) error) error {
	if from < l.begin[part] {
		return &queue.ErrLogStart{Offset: from, Start: l.begin[part]}
	}
	return giveAll(l.records[part][from-l.begin[part]:to-l.begin[part]], fn)
}

// EdgeLog implements archive.Source.
func (l *batchLog) EdgeLog(context.Context) (queue.EdgeLog, error) {
	return queue.EdgeLog{ID: "bench", End: int64(len(l.edges))}, nil
}

// ReadEdges implements archive.Source.
func (l *batchLog) ReadEdges(_ context.Context, from, to int64, fn func(*kgo.Record) error) error {
	return giveAll(l.edges[from:to], fn)
}

func giveAll(recs []kgo.Record, fn func(*kgo.Record) error) error {
	for i := range recs {
		if err := fn(&recs[i]); err != nil {
			return err
		}
	}
	return nil
}
