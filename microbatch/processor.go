package microbatch

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/store"
)

// Config is what a processor needs: nothing of the process around it.
type Config struct {
	Store    store.Store
	Shard    store.Shard
	Epoch    store.Epoch // of the shard
	Topic    string      // part of the nonce of a record that has none
	Operator Operator
	Sink     Sink
	Hash     Hash

	// Rejected is told of each record that is rejected; may be nil.
	Rejected func(offset int64, reason error)
	// Retry is called when the store or the sink fails, before the same thing
	// is tried again; it waits, and returns an error to give up. Nil waits
	// with growing pauses until the context ends.
	Retry func(ctx context.Context, attempt int, err error) error
}

// Processor runs the log of one partition: it judges each record, hands events
// to the operator, and commits. One goroutine owns it. Any number of processors
// of one shard may be alive at once; what they write is the same (laws 2-4).
//
// Its guarantees:
//
//   - State at offset P is applied only to the event at P. A batch that the
//     store refuses is offered again as it is; it is never made anew.
//   - A commit is written after every cell of its batch is durable and every
//     outgoing record is acknowledged.
//   - After an error other than of Retry's making, it is dead: load another.
type Processor struct {
	cfg Config

	next  int64 // offset of the next record
	begun int64 // commit when it was loaded: below it, cells are left alone
	state opState

	logTimes []int64 // log time at each event taken
	keys     []store.Key
	outgoing []Outgoing
	record   []byte
	batch    store.Batch
	wrote    written // of the last batch
	commit   int64
	nonce    []byte
}

// opState is the operator state besides what the operator itself remembers.
type opState struct {
	counts   store.CommitRecord
	settings Settings
	dedupe   *dedupe
	sources  map[source]int64 // highest offset of moved records, by where they came from
}

type source struct {
	epoch     uint32
	partition int32
}

// Next is the offset of the next record that the processor needs.
func (p *Processor) Next() int64 { return p.next }

// Committed is the offset up to which it knows the shard to be committed.
func (p *Processor) Committed() int64 { return p.commit }

// Uncommitted reports how many records are in memory only.
func (p *Processor) Uncommitted() int64 { return max(0, p.next-p.commit) }

// Counts is the commit record as it would be written now.
func (p *Processor) Counts() store.CommitRecord { return p.state.counts }

// Process runs records, which must begin at Next and be in log order. They are
// not kept. A batch ends at a marker: it is committed before the next begins.
func (p *Processor) Process(ctx context.Context, recs []*kgo.Record) error {
	for len(recs) > 0 {
		n, marker, err := p.judge(recs)
		if err != nil {
			return err
		}
		if err := p.run(ctx); err != nil {
			return err
		}
		// What leaves the partition points into the records, so it goes before
		// they are given back.
		if err := p.send(ctx); err != nil {
			return err
		}
		recs = recs[n:]
		if marker == nil {
			continue
		}
		// The marker itself belongs to the batch before its generation, and the
		// commit stands for both: what it says of the newest generation holds
		// for the next event.
		p.encode()
		p.begin(*marker)
		if err := p.write(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Advance moves the position over offsets that hold no records: ends of
// transactions, and what was aborted or compacted away. All records below to
// have been processed. Cells keep their versions, which come from records alone.
func (p *Processor) Advance(to int64) { p.next = max(p.next, to) }

// judge goes through records up to and including the first marker that counts.
func (p *Processor) judge(recs []*kgo.Record) (n int, counts *Marker, err error) {
	for _, r := range recs {
		if r.Offset < p.next {
			return n, nil, fmt.Errorf("microbatch: %v: record %d where %d was due: state would be applied twice", p.cfg.Shard, r.Offset, p.next)
		}
		n++
		p.next = r.Offset + 1
		c := &p.state.counts
		c.Records++
		c.LogTime = max(c.LogTime, r.Timestamp.UnixMilli())
		if IsMarker(r) {
			m, err := ParseMarker(r.Value)
			switch {
			case err != nil:
				p.refuse(r, err)
			case m.Generation <= c.Generation:
				c.MarkersIgnored++
			default:
				c.Markers++
				return n, &m, nil
			}
			continue
		}
		p.judgeEvent(r)
	}
	return n, nil, nil
}

// judgeEvent decides what a record is: moved here before, refused, in a wrong
// partition, a duplicate, or an event.
func (p *Processor) judgeEvent(r *kgo.Record) {
	c := &p.state.counts
	here := queue.Source{Epoch: p.cfg.Shard.Epoch, Partition: p.cfg.Shard.Partition, Offset: r.Offset}
	from := here
	moved := header(r, queue.MovedHeader)
	if moved != nil {
		src, err := queue.ParseSource(moved)
		if err != nil {
			p.refuse(r, err)
			return
		}
		c.MovedIn++
		// Not what dedupe remembers but the highest offset decides, so moving
		// again is harmless however late.
		k := source{src.Epoch, src.Partition}
		if last, ok := p.state.sources[k]; ok && src.Offset <= last {
			c.MovedAgain++
			return
		}
		p.state.sources[k] = src.Offset
		from = src
	}
	owner, nonce, err := p.cfg.Operator.Decode(r.Value, r.Timestamp.UnixMilli(), c.LogTime)
	if err != nil {
		p.refuse(r, err)
		return
	}
	if nonce == nil {
		p.nonce = from.AppendNonce(p.nonce[:0], p.cfg.Topic)
		nonce = p.nonce
	}
	if target := queue.PartitionOf(owner, p.cfg.Epoch.Partitions); target != p.cfg.Shard.Partition {
		// What was moved here in an epoch of fewer partitions, and not counted
		// there any more, is moved on; within an epoch nothing is moved twice.
		if moved != nil && from.Epoch == here.Epoch {
			p.refuse(r, fmt.Errorf("moved here from epoch %d partition %d, but belongs to partition %d", from.Epoch, from.Partition, target))
			return
		}
		c.MovedOut++
		if p.live(r.Offset) {
			p.outgoing = append(p.outgoing, Outgoing{Target: target, Record: r, Source: here,
				Value: p.cfg.Operator.AppendWithNonce(nil, nonce)})
		}
		return
	}
	ownerHash := p.cfg.Hash.Owner(owner)
	if !p.state.dedupe.first(p.cfg.Hash.Nonce(nonce), ownerHash, r.Offset, c.LogTime) {
		c.Duplicates++
		return
	}
	c.Events++
	p.cfg.Operator.Take(r.Offset, ownerHash, p.live(r.Offset))
	p.logTimes = append(p.logTimes, c.LogTime)
}

// live says whether an event may change cells and send records: below the
// commit at which the processor was loaded, all of that is done and durable.
func (p *Processor) live(offset int64) bool { return offset >= p.begun }

func (p *Processor) refuse(r *kgo.Record, err error) {
	p.state.counts.Refused++
	if p.live(r.Offset) {
		if p.cfg.Rejected != nil {
			p.cfg.Rejected(r.Offset, err)
		}
		p.outgoing = append(p.outgoing, Outgoing{Dead: true, Record: r, Reason: err.Error(),
			Source: queue.Source{Epoch: p.cfg.Shard.Epoch, Partition: p.cfg.Shard.Partition, Offset: r.Offset}})
	}
}

// run applies the events that judge took.
func (p *Processor) run(ctx context.Context) error {
	load := func() error { return p.load(ctx) }
	if err := load(); err != nil {
		return err
	}
	err := p.cfg.Operator.Run(p.logTimes, load)
	p.logTimes = p.logTimes[:0]
	p.state.counts.VisitEntries, p.state.counts.VisitReach = p.cfg.Operator.Memory()
	p.state.counts.DedupeEntries, p.state.counts.DedupeReach = int64(p.state.dedupe.count), p.state.dedupe.reach()
	return err
}

// load reads the cells that the operator misses. Cells that are in memory were
// put by this processor or read before, so they are never read again while a
// put is in flight (law 3).
func (p *Processor) load(ctx context.Context) error {
	p.keys = p.cfg.Operator.Missing(p.keys[:0])
	if len(p.keys) == 0 {
		return nil
	}
	err := p.retry(ctx, func() error {
		return p.cfg.Store.Cells(ctx, p.cfg.Shard, p.keys, p.cfg.Operator.Fill)
	})
	if err == nil {
		p.cfg.Operator.Filled()
	}
	return err
}

// send has everything that leaves the partition acknowledged.
func (p *Processor) send(ctx context.Context) error {
	if len(p.outgoing) == 0 {
		return nil
	}
	err := p.retry(ctx, func() error { return p.cfg.Sink.Send(ctx, p.outgoing) })
	clear(p.outgoing)
	p.outgoing = p.outgoing[:0]
	return err
}

// begin starts the generation of a marker behind the last record.
func (p *Processor) begin(m Marker) {
	if m.Settings != nil {
		p.state.settings = *m.Settings
		p.state.dedupe.limit(m.Settings.DedupeWindow, m.Settings.DedupeEntries)
	}
	p.state.counts.Generation = m.Generation
	p.state.counts.GenerationStart = p.next
	p.cfg.Operator.Begin(m.Generation, p.next, p.state.settings)
}

// Commit makes everything processed durable, then writes the commit row.
func (p *Processor) Commit(ctx context.Context) error {
	p.encode()
	return p.write(ctx)
}

// encode takes the changed cells into the batch. What is encoded is offered to
// the store until it takes it.
func (p *Processor) encode() { p.batch.Cells = p.cfg.Operator.Changed() }

func (p *Processor) write(ctx context.Context) error {
	if p.next <= p.commit {
		return nil // still replaying what others committed
	}
	p.record = p.state.counts.Append(p.record[:0])
	p.batch.Shard = p.cfg.Shard
	p.batch.Commit = store.Commit{Offset: p.next, Record: p.record}
	if err := p.retry(ctx, func() error { return p.cfg.Store.Apply(ctx, &p.batch) }); err != nil {
		return err
	}
	p.commit = p.next
	p.wrote = sizeOf(p.batch.Cells)
	p.batch.Cells = nil
	p.cfg.Operator.Acknowledged()
	return nil
}

// written is how much a batch wrote.
type written struct{ cells, bytes int }

func sizeOf(cells []store.Cell) (w written) {
	for i := range cells {
		w.bytes += len(cells[i].Value)
	}
	w.cells = len(cells)
	return w
}

func (p *Processor) retry(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		if p.cfg.Retry != nil {
			if stop := p.cfg.Retry(ctx, attempt, err); stop != nil {
				return stop
			}
			continue
		}
		pause := min(time.Second, time.Millisecond<<min(attempt, 10))
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
