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
)

// Config is what an archiver needs. Zero values are right but for the first three.
type Config struct {
	Objects objects.Store
	Source  Source
	Commits Commits

	// CheckSettings is what the processors' operator has (record.Rules): it decides
	// which markers are rejected. Nil takes all.
	CheckSettings func(operator string) error

	FileRows int64         // rows after which a file ends; 0 is 1 Mi
	RollRows int64         // records waiting in a partition that are archived at once; 0 is 256 Ki
	RollTime time.Duration // after which any number is; 0 is 10 minutes

	CompactRows int64 // rows that compaction makes a file of at most; 0 is 4 Mi

	TempDir string // of a file being written; empty is the system's
	Logger  *slog.Logger
}

// passRows bounds what is read of a shard before the manifest is switched: what
// a crash makes to be done again.
const passRows = 4 << 20

// Archiver writes the archive. Its guarantees:
//
//   - A manifest names only files that are whole and durable.
//   - Each record is in exactly one file of a manifest: a file begins where the
//     one before it in the manifest ends, and an archiver that is not the one that
//     wrote the newest manifest cannot write the next.
//   - A file goes when no manifest that is kept names it, or, not named by any, when
//     the archiver that made it can no longer write a manifest.
//
// Safe for concurrent use; one caller at a time works.
type Archiver struct {
	cfg  Config
	turn chan struct{} // holds one token: who has it may use what is below

	m      *Manifest // ours, the newest; nil before we took over, or when that is in doubt
	serial uint64    // of files, within our term
	said   atomic.Pointer[Manifest]
	rows   *dataWriter[Row]
	edges  *dataWriter[EdgeRow]
}

// NewArchiver returns an archiver; its owner closes it.
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

// Close frees what the archiver holds, when nobody works with it any more. The
// objects are the caller's.
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

// Newest is the newest manifest that this archiver wrote; nil if none.
func (a *Archiver) Newest() *Manifest { return a.said.Load() }

// pass archives what is committed, a bounded part of it at a time, and switches
// the manifest once.
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
	// An epoch of a partition begins when those before it are whole: then what
	// the newest has says what the log need not keep.
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

// begin returns the log of a shard, a new one if there is none.
func (m *Manifest) begin(p *part) *Log {
	if l := m.log(p.shard); l != nil {
		return l
	}
	m.Shards = append(m.Shards, Log{Epoch: p.shard.Epoch, Partition: p.shard.Partition, TopicID: p.topicID,
		Partitions: p.partitions, Start: p.start, End: p.start})
	sortLogs(m.Shards)
	return m.log(p.shard)
}

// same says whether two manifests cover the same.
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

// takeOver makes this archiver the one that writes the next manifests, by one
// that says nothing new. Whoever wrote the newest before can write no other, so
// what it made for that, and is in no manifest, is removed.
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
