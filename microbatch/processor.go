package microbatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
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
	Trust    *record.Trust // which internal records count; nil: all

	// Rejected is told of each record that is rejected; may be nil.
	Rejected func(offset int64, reason error)
	// Retry is called when the store or the sink fails, before the same thing
	// is tried again; it waits, and returns an error to give up. Nil waits
	// with growing pauses until the context ends.
	Retry func(ctx context.Context, attempt int, err error) error
}

// Processor runs the log of one partition: it classifies each record, hands events
// to the operator, and commits. One goroutine owns it. Any number of processors
// of one shard may be alive at once; what they write is the same (laws 2-4).
//
// Its guarantees:
//
//   - State at offset P is applied only to the event at P. A batch that the
//     store refuses is offered again as it is; it is never made a second time.
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
	row      []byte // of the commit
	counted  []byte // by the operator
	batch    store.Batch
	wrote    written // of the last batch
	commit   int64

	classifier record.Classifier
}

// opState is the operator state besides what the operator itself remembers.
type opState struct {
	counts   store.CommitRecord
	settings record.Settings
	dedupe   *dedupe
	sources  map[source]int64 // highest offset of rerouted records, by where they came from
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
		n, marker, err := p.classify(ctx, recs)
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
		if err := p.begin(*marker); err != nil {
			return err
		}
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

// classify goes through records up to and including the first marker that counts.
func (p *Processor) classify(ctx context.Context, recs []*kgo.Record) (n int, counts *record.Marker, err error) {
	for _, r := range recs {
		if r.Offset < p.next {
			return n, nil, fmt.Errorf("microbatch: %v: record %d where %d was due: state would be applied twice", p.cfg.Shard, r.Offset, p.next)
		}
		n++
		p.next = r.Offset + 1
		c := &p.state.counts
		c.Records++
		c.LogTime = max(c.LogTime, r.Timestamp.UnixMilli())
		is := p.classifier.Classify(r, c.LogTime)
		if is.Rerouted && p.again(is.From) {
			continue
		}
		switch is.Kind {
		case record.KindMarker:
			if is.Marker.Generation <= c.Generation {
				c.MarkersIgnored++
				continue
			}
			known, err := p.begunInCatalog(ctx, is.Marker.Generation)
			if err != nil {
				return n, nil, err
			}
			if !known {
				p.reject(r, fmt.Errorf("%w: %d", record.ErrUnknownGeneration, is.Marker.Generation))
				continue
			}
			c.Markers++
			m := is.Marker
			return n, &m, nil
		case record.KindRejected:
			p.reject(r, is.Err)
		case record.KindMisplaced:
			p.reroute(r, is)
		default:
			p.take(r, is)
		}
	}
	return n, nil, nil
}

// begunInCatalog reports whether the catalog has given out a generation's number.
// A generation takes its number before its markers are appended, so the answer for
// a marker of the system's is always yes.
func (p *Processor) begunInCatalog(ctx context.Context, generation uint32) (known bool, err error) {
	if p.cfg.Trust == nil {
		return true, nil
	}
	err = p.retry(ctx, func() error {
		pointer, err := p.cfg.Store.Pointer(ctx)
		known = generation < pointer.Next
		return err
	})
	return known, err
}

// again reports whether a rerouted record has come a second time, which changes
// nothing. Not what dedupe remembers but the highest offset of its source decides,
// so sending it once more is harmless, however late.
func (p *Processor) again(from record.Source) bool {
	c := &p.state.counts
	c.ReroutedIn++
	k := source{from.Epoch, from.Partition}
	if last, ok := p.state.sources[k]; ok && from.Offset <= last {
		c.ReroutedAgain++
		return true
	}
	p.state.sources[k] = from.Offset
	return false
}

// take hands an event to the operator, unless dedupe remembers it.
func (p *Processor) take(r *kgo.Record, is *record.Class) {
	c := &p.state.counts
	owner, nonce := p.cfg.Operator.Hash(is.Owner, is.Nonce)
	if !p.state.dedupe.first(nonce, owner, r.Offset, c.LogTime) {
		c.Duplicates++
		return
	}
	c.Events++
	p.cfg.Operator.Take(r.Offset, owner, p.live(r.Offset))
	p.logTimes = append(p.logTimes, c.LogTime)
}

// reroute sends an event to the partition that it belongs to.
func (p *Processor) reroute(r *kgo.Record, is *record.Class) {
	p.state.counts.ReroutedOut++
	if p.live(r.Offset) {
		p.outgoing = append(p.outgoing, Outgoing{Target: is.Target, Record: r, Source: p.place(r),
			Value: p.cfg.Operator.AppendWithNonce(nil, is.Nonce)})
	}
}

// reject sends a record to the dead-letter topic.
func (p *Processor) reject(r *kgo.Record, err error) {
	p.state.counts.Rejected++
	if p.live(r.Offset) {
		if p.cfg.Rejected != nil {
			p.cfg.Rejected(r.Offset, err)
		}
		p.outgoing = append(p.outgoing, Outgoing{Dead: true, Record: r, Reason: err.Error(), Source: p.place(r)})
	}
}

// place is where a record lies.
func (p *Processor) place(r *kgo.Record) record.Source {
	return record.Source{Epoch: p.cfg.Shard.Epoch, Partition: p.cfg.Shard.Partition, Offset: r.Offset}
}

// live reports whether an event may change cells and send records: below the
// commit at which the processor was loaded, all of that is done and durable.
func (p *Processor) live(offset int64) bool { return offset >= p.begun }

// run applies the events that classify took.
func (p *Processor) run(ctx context.Context) error {
	load := func() error { return p.load(ctx) }
	if err := load(); err != nil {
		return err
	}
	err := p.cfg.Operator.Run(p.logTimes, load)
	p.logTimes = p.logTimes[:0]
	p.forward()
	c := &p.state.counts
	c.DedupeEntries, c.DedupeOldest = int64(p.state.dedupe.count), p.state.dedupe.oldest()
	p.counted = p.cfg.Operator.AppendCounts(p.counted[:0])
	if string(p.counted) != c.Operator {
		c.Operator = string(p.counted)
	}
	return err
}

// forward takes what the operator sends to another topic. It is not called for
// events below the commit: Take was told that they are not live.
func (p *Processor) forward() {
	f, ok := p.cfg.Operator.(Forwarder)
	if !ok {
		return
	}
	at := len(p.outgoing)
	p.outgoing = f.AppendForwarded(p.outgoing)
	for i := at; i < len(p.outgoing); i++ {
		from := &p.outgoing[i].Source
		from.Epoch, from.Partition = p.cfg.Shard.Epoch, p.cfg.Shard.Partition
	}
}

// Full reports whether the operator wants a commit before more records.
func (p *Processor) Full() bool {
	f, ok := p.cfg.Operator.(Filler)
	return ok && f.Full()
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

// begin starts the generation of a marker after the last record.
func (p *Processor) begin(m record.Marker) error {
	if m.Settings != nil {
		p.state.settings = *m.Settings
		p.state.dedupe.limit(m.Settings.DedupeWindow, m.Settings.DedupeEntries)
	}
	p.state.counts.Generation = m.Generation
	p.state.counts.GenerationStart = p.next
	return p.cfg.Operator.Begin(m.Generation, p.next, p.state.settings.Operator)
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
	p.row = p.state.counts.Append(p.row[:0])
	p.batch.Shard = p.cfg.Shard
	p.batch.After = p.commit
	p.batch.Commit = store.Commit{Offset: p.next, Record: p.row}
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
		if ctx.Err() != nil || errors.Is(err, store.ErrSuperseded) {
			return err // another processor is the owner now
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
