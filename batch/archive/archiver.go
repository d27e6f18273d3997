package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"speedlayer/internal/objects"
	"speedlayer/queue"
	"speedlayer/record"
)

// Config is what an archiver needs. Only the first three are required.
type Config struct {
	Objects objects.Store
	Source  Source
	Commits Commits

	// CheckSettings is what the processors' operator has (record.Rules): it decides
	// which markers are rejected. Nil takes all.
	CheckSettings func(operator string) error
	// Trust is that of the processors; nil: every internal record counts.
	Trust func() *record.Trust

	FileRows int64         // rows after which a file ends; 0 is 1 Mi
	RollRows int64         // a partition with so many waiting records is archived at once; 0 is 256 Ki
	RollTime time.Duration // time after which any number of records is archived; 0 is 10 minutes

	CompactRows int64 // maximum rows of a file made by compaction; 0 is 4 Mi

	TempDir string // for the file being written; empty means the system's
	Logger  *slog.Logger
}

// passRows bounds what is read of a shard before the manifest is switched, and so
// how much must be repeated after a crash.
const passRows = 4 << 20

// Archiver writes the archive. It guarantees:
//
//   - A manifest names only files that are whole and durable.
//   - Each record is in exactly one file of a manifest. A file begins where the
//     previous one in the manifest ends, and only the archiver that wrote the
//     newest manifest can write the next.
//   - A file is removed when no kept manifest names it any more. If no manifest
//     ever named it, it is removed when the archiver that made it can no longer
//     write a manifest.
//
// It is safe for concurrent use; one caller at a time works.
type Archiver struct {
	cfg  Config
	turn chan struct{} // holds one token: the caller that has it may use the fields below

	m      *Manifest // our newest manifest; nil before we took over, or when that is in doubt
	serial uint64    // number of the last file within our term
	said   atomic.Pointer[Manifest]
	rows   *dataWriter[Row]
	edges  *dataWriter[EdgeRow]
}

// NewArchiver returns an archiver. The caller must close it.
func NewArchiver(cfg Config) (*Archiver, error) {
	if cfg.FileRows == 0 {
		cfg.FileRows = 1 << 20
	}
	if cfg.RollRows == 0 {
		cfg.RollRows = 256 << 10
	}
	if cfg.RollTime == 0 {
		cfg.RollTime = 10 * time.Minute
	}
	if cfg.CompactRows == 0 {
		cfg.CompactRows = 4 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Archiver{cfg: cfg, turn: make(chan struct{}, 1)}
	a.turn <- struct{}{}
	var err error
	if a.rows, err = newDataWriter[Row](cfg.TempDir); err != nil {
		return nil, err
	}
	if a.edges, err = newDataWriter[EdgeRow](cfg.TempDir); err != nil {
		return nil, errors.Join(err, a.rows.close())
	}
	return a, nil
}

// Close frees what the archiver holds. Nobody may be using it any more. The objects
// belong to the caller and stay open.
func (a *Archiver) Close() error {
	<-a.turn
	return errors.Join(a.rows.close(), a.edges.close())
}

// take waits for the caller's turn.
func (a *Archiver) take(ctx context.Context) error {
	select {
	case <-a.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Archiver) give() { a.turn <- struct{}{} }

// Newest returns the newest manifest that this archiver wrote, or nil.
func (a *Archiver) Newest() *Manifest { return a.said.Load() }

// pass archives a bounded part of what is committed, and switches the manifest
// once.
func (a *Archiver) pass(ctx context.Context) (more bool, err error) {
	if a.m == nil {
		if err := a.takeOver(ctx); err != nil {
			return false, err
		}
	}
	all, err := parts(ctx, a.cfg.Commits)
	if err != nil {
		return false, err
	}
	next := a.m.clone()
	next.dropForgotten(a.m)
	// An epoch of a partition begins when the previous epochs are complete. So
	// what the archive has of the newest one tells what the log need not keep.
	behind := map[int32]bool{}
	for i := range all {
		p := &all[i]
		if behind[p.shard.Partition] {
			continue
		}
		m, err := a.pageviews(ctx, next.begin(p), p)
		if err != nil {
			return false, fmt.Errorf("archiving %v: %w", p.shard, err)
		}
		behind[p.shard.Partition] = m
		more = more || m
	}
	if err := a.equivs(ctx, next); err != nil {
		return false, fmt.Errorf("archiving topic %s: %w", queue.TopicEquivs, err)
	}
	if same(a.m, next) {
		return false, nil
	}
	if err := a.commit(ctx, next); err != nil {
		return false, err
	}
	return more, a.forget(ctx)
}

// begin returns the log of a shard, which it creates if necessary.
func (m *Manifest) begin(p *part) *Log {
	if l := m.log(p.shard); l != nil {
		return l
	}
	m.Shards = append(m.Shards, Log{Epoch: p.shard.Epoch, Partition: p.shard.Partition, TopicID: p.topicID,
		Partitions: p.partitions, Start: p.start, End: p.start})
	sortLogs(m.Shards)
	return m.log(p.shard)
}

// same reports whether two manifests cover the same records.
func same(a, b *Manifest) bool {
	if len(a.Shards) != len(b.Shards) || len(a.Equivs) != len(b.Equivs) {
		return false
	}
	for i := range a.Shards {
		if a.Shards[i].End != b.Shards[i].End {
			return false
		}
	}
	for i := range a.Equivs {
		if a.Equivs[i].End != b.Equivs[i].End {
			return false
		}
	}
	return true
}

// commit makes next the manifest.
func (a *Archiver) commit(ctx context.Context, next *Manifest) error {
	next.Format, next.Number = manifestFormat, a.m.Number+1
	if err := next.check(); err != nil {
		return err
	}
	if err := switchTo(ctx, a.cfg.Objects, next); err != nil {
		return err
	}
	a.m = next
	a.said.Store(next)
	return nil
}

// takeOver makes this archiver the writer of the next manifests, by writing one
// without new content. The previous writer cannot write another one. So takeOver
// removes the files that it made and that are in no manifest.
func (a *Archiver) takeOver(ctx context.Context) error {
	m, err := newest(ctx, a.cfg.Objects)
	if err != nil {
		return err
	}
	next := m.clone()
	next.Format, next.Number = manifestFormat, m.Number+1
	next.Term = next.Number
	if err := switchTo(ctx, a.cfg.Objects, next); err != nil {
		return err
	}
	a.m, a.serial = next, 0
	a.said.Store(next)
	return a.sweep(ctx)
}
