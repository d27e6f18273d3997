package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// Log is what a run reads of the queue; *queue.Client is one.
type Log interface {
	Info(ctx context.Context) (queue.TopicInfo, error)
	ReadAll(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error
}

// Config defines what to compare with what.
type Config struct {
	Cells func(context.Context) (*Snapshot, error) // FromStore or FromServer
	Log   Log

	Workers  int                     // shards at a time, each with its memory; 0 is 2, or 1 on one core
	First    int                     // differences that the report describes; 0 is 20
	Progress func(done, total int64) // records read; may be nil; from several goroutines
}

// Run compares. An error means that it could not: what differs is in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	snap, err := cfg.Cells(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	return Compare(ctx, cfg, snap)
}

// Compare is Run with cells that were read before the call.
func Compare(ctx context.Context, cfg Config, snap *Snapshot) (*Report, error) {
	if cfg.First == 0 {
		cfg.First = 20
	}
	if cfg.Workers == 0 {
		cfg.Workers = min(2, runtime.GOMAXPROCS(0))
	}
	// The store came first: so the log reaches at least as far as the commits.
	topic, err := cfg.Log.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	r := &run{cfg: cfg, snap: snap, arrived: map[arrival]place{}}
	if r.trust, err = oracle.ParseTrust(snap.Trust, snap.Pointer.Next); err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	jobs := r.plan(topic)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cfg.Workers)
	for _, j := range jobs {
		g.Go(func() error { return r.check(ctx, j) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	report := &Report{Cells: map[string]int64{}}
	for _, j := range jobs {
		report.merge(cfg.First, &j.report)
	}
	r.strangers(report)
	r.checkRerouted(report, jobs)
	r.checkArrivals(report, jobs)
	slices.SortStableFunc(report.Unchecked, func(a, b Unchecked) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Partition, b.Partition))
	})
	return report, nil
}

// run is one comparison.
type run struct {
	cfg   Config
	snap  *Snapshot
	trust *oracle.Trust // nil: every internal record counts
	total int64         // records to be read
	done  atomic.Int64

	mu      sync.Mutex
	arrived map[arrival]place // rerouted records, as the logs of their targets have them, and the first place of each
	left    []departure
}

// arrival is where a rerouted record lies, and where it lay.
type arrival struct {
	target int32
	from   oracle.Source
}

// place is where a record lies.
type place struct {
	shard  store.Shard
	offset int64
}

// departure is a rerouted record of a checked shard that its commit covers.
type departure struct {
	shard store.Shard
	arrival
}

// job is one shard of one log epoch.
type job struct {
	shard  store.Shard
	epoch  store.Epoch
	cells  []StoredCell
	commit *Commit // nil: none yet
	start  int64   // of the epoch in the partition
	cover  int64   // what the log has of the commit
	to     int64   // the oracle runs up to here
	end    int64   // records are read up to here
	limit  int64   // where the epoch's log ends, if not at the topic's end
	skip   string  // why it cannot be checked
	report Report
}

// plan finds what can be checked: each epoch's shards, as far as the log has
// them.
func (r *run) plan(topic queue.TopicInfo) (jobs []*job) {
	commits := map[store.Shard]*Commit{}
	for i := range r.snap.Commits {
		c := &r.snap.Commits[i]
		commits[store.Shard{Epoch: c.Epoch, Partition: c.Partition}] = c
	}
	for i, e := range r.snap.Epochs {
		for part := range e.Partitions {
			shard := store.Shard{Epoch: e.Number, Partition: part}
			j := &job{shard: shard, epoch: e, cells: r.snap.Shards[shard], commit: commits[shard],
				report: Report{Cells: map[string]int64{}}, limit: math.MaxInt64}
			for _, later := range r.snap.Epochs[i+1:] {
				if later.TopicID == e.TopicID && part < later.Partitions {
					j.limit = later.Starts[part]
					break
				}
			}
			j.bound(topic)
			r.total += max(0, j.end-j.start)
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// bound sets the offsets of a job, or why there are none.
func (j *job) bound(topic queue.TopicInfo) {
	part := j.shard.Partition
	j.start = j.epoch.Starts[part]
	j.cover, j.to, j.end = j.start, j.start, j.start
	switch {
	case j.epoch.TopicID != topic.ID:
		j.skip = "the topic of this epoch is gone"
	case part >= topic.Partitions:
		j.skip = fmt.Sprintf("the topic has %d partitions now", topic.Partitions)
	case topic.Starts[part] > j.start:
		j.skip = fmt.Sprintf("the log begins at offset %d now, the epoch at %d: every value depends on what was dropped", topic.Starts[part], j.start)
	}
	if j.skip != "" {
		return
	}
	j.limit = min(j.limit, topic.Stable[part]) // what lies above is not committed
	if j.commit != nil {
		j.cover = j.commit.Offset
	}
	j.to = j.cover
	for i := range j.cells {
		j.to = max(j.to, j.cells[i].Version)
	}
	j.cover, j.to, j.end = min(j.cover, j.limit), min(j.to, j.limit), max(j.start, j.limit)
	j.report.Behind = max(0, j.end-j.cover)
}

// strangers reports cells and commits of shards that no epoch has.
func (r *run) strangers(report *Report) {
	known := func(s store.Shard) bool {
		for _, e := range r.snap.Epochs {
			if e.Number == s.Epoch {
				return s.Partition >= 0 && s.Partition < e.Partitions
			}
		}
		return false
	}
	for _, c := range r.snap.Commits {
		if !known(store.Shard{Epoch: c.Epoch, Partition: c.Partition}) {
			report.note(r.cfg.First, Difference{Kind: KindCommit, Epoch: c.Epoch, Partition: c.Partition,
				Version: c.Offset, Field: "shard", Stored: "there", Expected: "none: no epoch has this shard"})
		}
	}
	var shards []store.Shard
	for s := range r.snap.Shards {
		if !known(s) {
			shards = append(shards, s)
		}
	}
	slices.SortFunc(shards, store.Shard.Compare)
	for _, s := range shards {
		for i := range r.snap.Shards[s] {
			c := &r.snap.Shards[s][i]
			report.note(r.cfg.First, cellDifference(KindExtra, s, c.Key, c.Version, storedText(c), "nothing: no epoch has this shard"))
		}
	}
}

// checkRerouted looks for records that left their partition and did not arrive.
func (r *run) checkRerouted(report *Report, jobs []*job) {
	unread := map[int32]bool{}
	for _, j := range jobs {
		if j.skip != "" {
			unread[j.shard.Partition] = true
		}
	}
	skipped := int64(0)
	for _, d := range r.left {
		switch {
		case r.has(d.arrival):
		case unread[d.target]:
			skipped++
		default:
			report.note(r.cfg.First, Difference{Kind: KindRerouted, Epoch: d.shard.Epoch, Partition: d.shard.Partition,
				Expected: fmt.Sprintf("the record at offset %d belongs to partition %d and never arrived there", d.from.Offset, d.target)})
		}
	}
	if skipped > 0 {
		report.Notes = append(report.Notes, fmt.Sprintf("%d rerouted records not looked for, in logs that were not read", skipped))
	}
}

func (r *run) has(a arrival) bool {
	_, ok := r.arrived[a]
	return ok
}

// check compares one shard.
func (r *run) check(ctx context.Context, j *job) error {
	if j.skip == "" {
		err := r.checkShard(ctx, j)
		var start *queue.ErrLogStart
		if !errors.As(err, &start) {
			return err
		}
		j.skip = "the beginning of the log was dropped while it was read"
		j.report = Report{Cells: map[string]int64{}}
	}
	if len(j.cells) > 0 || j.commit != nil {
		j.report.Unchecked = append(j.report.Unchecked, Unchecked{j.shard.Epoch, j.shard.Partition, int64(len(j.cells)), j.skip})
	}
	return nil
}
