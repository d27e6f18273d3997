package topology

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"speedlayer/microbatch"
	"speedlayer/store"
)

// operator runs one stage of a topology for one processor (microbatch.Operator).
// Batch-local steps run in Decode, so that a record for which one of them fails is
// rejected; what they lead to is kept until the event is taken, or the next record
// comes.
type operator struct {
	t     *Topology
	stage *stage
	run   run
	value []byte // of the current event
	rows  []row
	cells *cells
	ready []microbatch.Outgoing // forwarded by the events taken
	// foreign: the generation has cells of other meanings, which a processor of
	// another definition keeps.
	foreign bool
	failed  func(error) // is told why an Update cannot go on; may be nil
}

// row is one change of one cell by an event.
type row struct {
	offset int64
	arg    int64
	slot   int32
}

// run is the current event on its way through the steps.
type run struct {
	at      *step // that runs, for errors
	err     error
	nonce   []byte
	kinds   []kind  // of the stage's cells
	parts   []int32 // partitions of each stage's topic
	changes []change
	entries []entry
	packed  []byte // of the entries
	scratch []byte
}

type change struct {
	key  string
	arg  int64
	hour int32
	cell int32
}

// Limits bound an operator's cache. They change no result.
type Limits struct {
	Slots int // cells; 0 is 128 Ki
	Bytes int // of keys, sets and states; 0 is 32 MiB
}

// newOperator returns the operator of a stage. parts are the partitions of the topic
// of each stage.
func newOperator(t *Topology, g *stage, parts []int32, l Limits) *operator {
	o := &operator{t: t, stage: g, run: run{parts: parts}}
	for _, s := range g.cells {
		o.run.kinds = append(o.run.kinds, s.kind())
	}
	o.cells = newCells(g.cells, o.run.kinds, l)
	return o
}

func (r *run) begin() {
	r.err, r.at = nil, nil
	r.changes, r.entries, r.packed = r.changes[:0], r.entries[:0], r.packed[:0]
	for _, k := range r.kinds {
		k.begin()
	}
}

// change notes that the event changes a cell.
func (r *run) change(s *step, key string, hour int32, arg int64) {
	r.changes = append(r.changes, change{escape(key), arg, hour, int32(s.cell)})
}

// reject makes the event one that breaks a rule. The first reason is kept.
func (r *run) reject(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("step %s: %s", r.at.name, fmt.Sprintf(format, args...))
	}
}

// Decode implements record.Rules.
func (o *operator) Decode(value []byte, _, _ int64) (owner, nonce []byte, err error) {
	o.run.begin()
	o.value = value
	defer func() {
		if p := recover(); p != nil {
			owner, nonce, err = nil, nil, o.panicked(p)
		}
	}()
	if o.stage.by != nil {
		return nil, nil, o.run.unpack(o.stage, value)
	}
	nonce, err = o.t.decode(&o.run, value)
	if err == nil {
		err = o.run.tooLarge()
	}
	return nonce, nonce, err
}

func (o *operator) panicked(p any) error {
	if o.run.at == nil {
		return fmt.Errorf("panic: %v", p)
	}
	return fmt.Errorf("step %s: panic: %v", o.run.at.name, p)
}

// CheckSettings implements record.Rules.
func (o *operator) CheckSettings(text string) error {
	_, err := parseSettings(text)
	return err
}

// Hash implements microbatch.Operator.
func (o *operator) Hash(owner, nonce []byte) (ownerHash, nonceHash uint64) {
	return xxh3.Hash(owner), xxh3.Hash(nonce)
}

// AppendWithNonce implements microbatch.Operator: an event that belongs to another
// partition has its nonce in its value.
func (o *operator) AppendWithNonce(dst, _ []byte) []byte { return append(dst, o.value...) }

// Take implements microbatch.Operator.
func (o *operator) Take(offset int64, _ uint64, live bool) {
	live = live && !o.foreign
	for _, k := range o.run.kinds {
		k.took(live)
	}
	if !live {
		o.cells.known.restart()
		return
	}
	for i := range o.run.changes {
		c := &o.run.changes[i]
		o.rows = append(o.rows, row{offset, c.arg, o.cells.slot(c.cell, c.key, c.hour)})
	}
	o.ready = o.run.pack(o.ready, offset)
}

// Missing implements microbatch.Operator.
func (o *operator) Missing(dst []store.Key) []store.Key { return o.cells.missingKeys(dst) }

// Fill implements microbatch.Operator.
func (o *operator) Fill(n int, version int64, value []byte) error {
	return o.cells.fill(n, version, value)
}

// Filled implements microbatch.Operator.
func (o *operator) Filled() { o.cells.missing = o.cells.missing[:0] }

// Run implements microbatch.Operator.
func (o *operator) Run([]int64, func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = o.panicked(p)
		}
		if err != nil && o.failed != nil {
			o.failed(err)
		}
	}()
	for i := range o.rows {
		r := &o.rows[i]
		s := &o.cells.slots[r.slot]
		o.run.at = o.stage.cells[s.cell]
		if err := o.cells.apply(r.slot, r.offset, r.arg); err != nil {
			return fmt.Errorf("step %s, key %.100q: %w", o.run.at.name, s.key(), err)
		}
	}
	o.rows = o.rows[:0]
	for _, k := range o.run.kinds {
		k.ran()
	}
	return nil
}

// AppendForwarded implements microbatch.Forwarder.
func (o *operator) AppendForwarded(dst []microbatch.Outgoing) []microbatch.Outgoing {
	dst = append(dst, o.ready...)
	clear(o.ready)
	o.ready = o.ready[:0]
	return dst
}

// Full implements microbatch.Filler.
func (o *operator) Full() bool { return o.cells.full() }

// Changed implements microbatch.Operator.
func (o *operator) Changed() []store.Cell { return o.cells.encode() }

// Acknowledged implements microbatch.Operator.
func (o *operator) Acknowledged() { o.cells.evict() }

// Begin implements microbatch.Operator.
func (o *operator) Begin(generation uint32, start int64, text string) error {
	if _, err := parseSettings(text); err != nil {
		return err
	}
	o.foreign = text != o.stage.settings(o.t)
	o.cells.reset(generation, start)
	o.cells.known.begin()
	return nil
}

// AppendCounts implements microbatch.Operator.
func (o *operator) AppendCounts(dst []byte) []byte { return dst }

// AppendState appends the operator state, which is the definition that made it:
//
//	version u8 | settings
func (o *operator) AppendState(dst []byte) []byte {
	return append(append(dst, stateVersion), o.stage.settings(o.t)...)
}

const stateVersion = 1

var errState = errors.New("topology: operator state cannot be what was written")

// LoadState implements microbatch.Operator. The state of another definition is as
// good: what it remembers is in cells.
func (o *operator) LoadState(b []byte) error {
	if len(b) == 0 || b[0] != stateVersion {
		return fmt.Errorf("%w: does not begin with version %d", errState, stateVersion)
	}
	o.cells.known.restart()
	return nil
}

// A key in a store has no byte 0. So 0 is written as 1 1, and 1 as 1 2, which keeps
// the order of keys.

func escape(key string) string {
	if strings.IndexByte(key, 0) < 0 && strings.IndexByte(key, 1) < 0 {
		return key
	}
	return escaper.Replace(key)
}

func unescape(key []byte) string {
	text := string(key)
	if strings.IndexByte(text, 1) < 0 {
		return text
	}
	return unescaper.Replace(text)
}

var (
	escaper   = strings.NewReplacer("\x00", "\x01\x01", "\x01", "\x01\x02")
	unescaper = strings.NewReplacer("\x01\x01", "\x00", "\x01\x02", "\x01")
)
