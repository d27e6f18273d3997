package microbatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// PartitionConfig defines which partition is processed, and with what.
type PartitionConfig struct {
	Store     store.Store
	Queue     *queue.Client
	Epoch     store.Epoch
	Partition int32
	Topic     string          // that is processed
	Operator  func() Operator // a fresh one, each time that the state is loaded
	// Fence keeps it from writing when its log epoch has ended; nil: no other
	// process could end it.
	Fence *catalog.Fence
	Trust *record.Trust // that of Config

	MaxBatch      int           // records of one commit at most; 0 is 131,072
	SnapshotEvery time.Duration // between snapshots, at the end of a range; 0 is 5 s, negative is never
	// Snapshotted is told of each snapshot: its offset, and why it could not be
	// saved, which costs a longer takeover and nothing else. May be nil.
	Snapshotted func(offset int64, err error)
	// Rejected and Retry are those of Config.
	Rejected func(offset int64, reason error)
	Retry    func(ctx context.Context, attempt int, err error) error
}

// Partition processes ranges of one partition that somebody else plans: a
// scheduler that may run a range twice, on two machines at once, or long after it
// has given up on it. All of that is harmless (design, laws 2 to 5), so such a
// scheduler's "at least once" becomes exactly once.
//
// Operator state and cells stay in memory between ranges. They are used for a
// range that begins exactly where they stand, for then they are what the log up to
// there has made, whoever else has worked on it since. For any other range they
// are dropped, and the partition is taken over again from the store.
//
// One goroutine owns it.
type Partition struct {
	cfg   PartitionConfig
	work  work
	shard store.Shard

	own    *ownership    // nil: nothing is in memory
	ahead  []*kgo.Record // polled, and not in a range yet
	snapAt time.Time     // of the last snapshot, or of the takeover
	loads  int           // for tests
	now    func() time.Time
}

// Range is what one call processes: the records in [From, Until) of a partition, in
// a log epoch. The log must have reached Until.
type Range struct {
	Epoch       uint32
	From, Until int64
}

// NewPartition returns a partition with nothing in memory. Its owner closes it.
func NewPartition(cfg PartitionConfig) (*Partition, error) {
	if cfg.Partition < 0 || cfg.Partition >= cfg.Epoch.Partitions {
		return nil, fmt.Errorf("microbatch: partition %d: log epoch %d has 0 to %d", cfg.Partition, cfg.Epoch.Number, cfg.Epoch.Partitions-1)
	}
	if cfg.MaxBatch == 0 {
		cfg.MaxBatch = 128 << 10
	}
	if cfg.SnapshotEvery == 0 {
		cfg.SnapshotEvery = 5 * time.Second
	}
	return &Partition{cfg: cfg, work: newWork(cfg.Store, cfg.Queue, cfg.Epoch, cfg.Topic, cfg.Operator, cfg.Fence, cfg.Trust),
		shard: store.Shard{Epoch: cfg.Epoch.Number, Partition: cfg.Partition}, now: time.Now}, nil
}

// ErrRange: a range cannot be one of the partition's. Doing it again is in vain.
var ErrRange = errors.New("microbatch: not a range of the partition")

// Run processes a range. When it returns nil, every record below Until is in the
// cells and the shard is committed there or above, by this call or by another
// owner. After an error the call may be repeated, here or elsewhere, except after
// ErrRange, ErrGap and catalog.ErrEpochEnded, which need another plan.
func (p *Partition) Run(ctx context.Context, r Range) error {
	start := p.cfg.Epoch.Starts[p.cfg.Partition]
	switch {
	case r.Epoch != p.cfg.Epoch.Number:
		return fmt.Errorf("%w: it is of log epoch %d, not %d", ErrRange, r.Epoch, p.cfg.Epoch.Number)
	case r.From < start || r.Until < r.From:
		return fmt.Errorf("%w: [%d, %d): the log epoch begins at %d", ErrRange, r.From, r.Until, start)
	case p.own != nil && p.own.proc.Committed() >= r.Until:
		return nil // an old range; what is in memory is of use for the next one
	}
	err := p.run(ctx, r)
	if err != nil {
		p.drop() // state may have moved on without its commit
	}
	return err
}

func (p *Partition) run(ctx context.Context, r Range) error {
	if p.own == nil || p.own.proc.Next() != r.From {
		p.drop()
		own, err := p.work.takeOver(ctx, p.cfg.Partition, p.cfg.Retry, p.cfg.Rejected)
		if err != nil {
			return err
		}
		p.own, p.snapAt = own, p.now()
		p.loads++
	}
	proc := p.own.proc
	if proc.Committed() >= r.Until {
		return nil // another owner has done it
	}
	for proc.Next() < r.Until {
		recs, err := p.read(ctx, r.Until)
		if err != nil {
			return p.work.gap(ctx, p.shard, err)
		}
		if err = p.process(ctx, recs); err == nil {
			proc.Advance(p.position(r.Until))
		}
		p.own.reader.Recycle(recs)
		if err != nil {
			return err
		}
		if proc.Uncommitted() >= int64(p.cfg.MaxBatch) || proc.Full() {
			if err := proc.Commit(ctx); err != nil {
				return err
			}
		}
	}
	if err := proc.Commit(ctx); err != nil {
		return err
	}
	p.snapshotIfDue(ctx)
	return nil
}

// process processes records, and commits in between so that no commit covers more
// than MaxBatch of them.
func (p *Partition) process(ctx context.Context, recs []*kgo.Record) error {
	proc := p.own.proc
	for {
		n := min(len(recs), max(1, p.cfg.MaxBatch-int(proc.Uncommitted())))
		if err := proc.Process(ctx, recs[:n]); err != nil {
			return err
		}
		if recs = recs[n:]; len(recs) == 0 {
			return nil
		}
		if err := proc.Commit(ctx); err != nil {
			return err
		}
	}
}

// read returns the next records below until. Those above, which came in the same
// poll, are kept for the next range.
func (p *Partition) read(ctx context.Context, until int64) (recs []*kgo.Record, err error) {
	recs = p.ahead
	p.ahead = nil
	if len(recs) == 0 {
		if recs, err = p.own.reader.PollSoon(ctx, nil, until); err != nil {
			return nil, err
		}
	}
	for i, rec := range recs {
		if rec.Offset >= until {
			p.ahead = recs[i:]
			return recs[:i:i], nil
		}
	}
	return recs, nil
}

// position is how far the log was read, as far as the range goes: there may be
// offsets without records.
func (p *Partition) position(until int64) int64 {
	if len(p.ahead) > 0 {
		return until
	}
	return min(p.own.reader.Position(), until)
}

// snapshotIfDue saves the state where the commit stands. If that fails, the next
// range tries again.
func (p *Partition) snapshotIfDue(ctx context.Context) {
	proc := p.own.proc
	if p.cfg.SnapshotEvery < 0 || p.now().Sub(p.snapAt) < p.cfg.SnapshotEvery || proc.Next() < proc.Committed() {
		return
	}
	buf := states.Get().(*[]byte)
	defer states.Put(buf)
	*buf = proc.AppendState((*buf)[:0])
	err := SaveSnapshot(ctx, p.cfg.Store, p.shard, proc.Next(), *buf)
	if err == nil {
		p.snapAt = p.now()
	}
	if p.cfg.Snapshotted != nil {
		p.cfg.Snapshotted(proc.Next(), err)
	}
}

// Next is the offset that a range must begin at for the state in memory to be of
// use; -1 when there is none.
func (p *Partition) Next() int64 {
	if p.own == nil {
		return -1
	}
	return p.own.proc.Next()
}

// Counts is the commit record at Next; the zero record when nothing is in memory.
func (p *Partition) Counts() store.CommitRecord {
	if p.own == nil {
		return store.CommitRecord{}
	}
	return p.own.proc.Counts()
}

func (p *Partition) drop() {
	if p.own != nil {
		p.own.close()
	}
	p.own, p.ahead = nil, nil
}

// Close drops what is in memory. All of it can be made again.
func (p *Partition) Close() { p.drop() }
