package collector

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"

	"speedlayer/collector/bots"
	"speedlayer/event"
	"speedlayer/queue"
)

// Rejected is an event that was not taken: its index in the request, from 0,
// and why.
type Rejected struct {
	Index int    `json:"index"`
	Error string `json:"error"`
}

// record is an accepted event: person and value lie in batch.arena, one after
// the other.
type record struct{ begin, person, end int }

// batch is the state of one request. Batches are pooled, with their buffers: on
// the usual way a request allocates nothing of its own.
type batch struct {
	c        *Collector
	body     []byte // as received, unpacked
	reserved int    // bytes, at the gate
	now      int64  // ms; the clock when the request came

	decoder event.Decoder
	pv      event.Pageview
	page    []byte   // scratch space
	object  []byte   // scratch space
	nonce   [32]byte // one that was given

	arena    []byte
	records  []record
	rejected []Rejected
	dropBots bool
	dropped  droppedBots

	done   func(queue.Position, error) // b.appended, bound once
	ended  chan struct{}               // capacity 1
	result struct {
		sync.Mutex
		pending   int
		err       error // the first
		keep      bool  // positions are wanted
		positions []queue.Position
	}
}

func newBatch(c *Collector) *batch {
	b := &batch{c: c, ended: make(chan struct{}, 1)}
	b.done = b.appended
	return b
}

// maxKept bounds the buffers that go back into the pool, in bytes: a large
// request shall not hold its memory for ever.
const maxKept = 1 << 20

// open begins a request; false when the collector is closed.
func (c *Collector) open() (*batch, bool) {
	if !c.gate.enter() {
		return nil, false
	}
	b := c.batches.Get().(*batch)
	b.body, b.arena, b.records, b.rejected = b.body[:0], b.arena[:0], b.records[:0], nil
	b.reserved, b.now, b.result.err = 0, c.cfg.Now().UnixMilli(), nil
	b.dropBots, b.dropped = c.cfg.DropBots, droppedBots{}
	return b, true
}

// close ends it. The queue must be done with all records.
func (b *batch) close() {
	b.c.gate.leave(b.reserved)
	// After an error the queue may still hold what it said it is done with.
	if b.result.err == nil && cap(b.body)+cap(b.arena) <= maxKept {
		b.c.batches.Put(b)
	}
}

// reject notes that the event with this index is not taken.
func (b *batch) reject(index int, err error) {
	b.c.metrics.reject(err)
	b.rejected = append(b.rejected, Rejected{index, err.Error()})
}

// droppedBots counts events that were right, but are a bot's.
type droppedBots struct {
	events int
	kinds  map[bots.Kind]int // nil until there is one
}

func (d *droppedBots) add(kind bots.Kind) {
	if d.kinds == nil {
		d.kinds = make(map[bots.Kind]int)
	}
	d.events++
	d.kinds[kind]++
}

// take checks one event, a JSON object, and keeps it as a record, unless it is a
// bot's. Errors are *event.Rejection.
func (b *batch) take(value []byte) error {
	if len(value) > b.c.limits.EventBytes {
		return rejection(event.CodeTooLong, "the event has %d bytes: allowed are %d", len(value), b.c.limits.EventBytes)
	}
	if len(value) == 0 || value[0] != '{' {
		return rejection(event.CodeType, "is not a JSON object")
	}
	if err := b.decode(value); err != nil {
		return err
	}
	if err := event.CheckAhead(b.pv.TS, b.now, event.MaxAheadCollector); err != nil {
		return err
	}
	page, err := event.AppendPage(b.page[:0], b.pv.URL)
	b.page = page[:0]
	if err != nil {
		return err
	}
	if b.dropBots {
		if kind := b.c.bots.Kind(b.pv.UserAgent); kind != bots.None {
			b.dropped.add(kind)
			return nil
		}
	}
	if !b.pv.HasNonce {
		b.giveNonce()
	}
	r := record{begin: len(b.arena)}
	b.arena = append(b.arena, b.pv.Person...)
	r.person = len(b.arena)
	b.arena = event.AppendJSON(b.arena, &b.pv)
	r.end = len(b.arena)
	b.records = append(b.records, r)
	return nil
}

// giveNonce makes a nonce that nobody else has: 128 bits of the runtime's
// ChaCha8.
func (b *batch) giveNonce() {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], rand.Uint64())
	hex.Encode(b.nonce[:], raw[:])
	b.pv.Nonce, b.pv.HasNonce = b.nonce[:], true
}

// append appends all records and waits until the queue is done with each. The
// first error stands for all: what was appended is a duplicate when it is sent
// again.
func (b *batch) append(ctx context.Context, positions bool) error {
	b.result.pending = len(b.records)
	b.result.keep, b.result.positions = positions, b.result.positions[:0]
	if len(b.records) == 0 {
		return nil
	}
	// A client that goes away takes nothing back: records lie in our buffers
	// until the queue is done with them.
	ctx = context.WithoutCancel(ctx)
	for _, r := range b.records {
		b.c.cfg.Queue.Append(ctx, b.arena[r.begin:r.person:r.person], b.arena[r.person:r.end:r.end], b.done)
	}
	<-b.ended
	return b.result.err
}

// appended is told by the queue, from its own goroutine.
func (b *batch) appended(at queue.Position, err error) {
	b.result.Lock()
	if err != nil && b.result.err == nil {
		b.result.err = err
	}
	if b.result.keep && err == nil {
		b.result.positions = append(b.result.positions, at)
	}
	b.result.pending--
	last := b.result.pending == 0
	b.result.Unlock()
	if last {
		b.ended <- struct{}{}
	}
}
