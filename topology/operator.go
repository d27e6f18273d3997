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
	taken int32 // events since the last Run
	cells *cells
	ready []microbatch.Outgoing // forwarded by the events taken
	// foreign: the generation has cells of other meanings, which a processor of
	// another definition keeps.
	foreign bool
	failed  func(error) // is told why an Update cannot go on; may be nil
}

// row is one change of one cell by an event, or an event that waits in a memory.
type row struct {
	offset int64
	arg    int64
	slot   int32 // -1-n: it waits in the n-th memory
	event  int32 // of a waiting one: its place among those taken; ^place if it is not live
}

// run is the current event on its way through the steps.
type run struct {
	at      *step // that runs, for errors
	err     error
	owner   []byte
	nonce   []byte
	kinds   []kind  // of the stage's cells
	parts   []int32 // partitions of each stage's topic
	changes []change
	// memories are those of the stage that reads the source; live tells the steps
	// after one whether the event changes cells.
	memories []memory
	later    []later
	live     bool
	entries  []entry
	packed   []byte // of the entries
	scratch  []byte
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
	if g.by == nil {
		for _, s := range t.memories {
			o.run.memories = append(o.run.memories, s.memory())
		}
	}
	o.cells = newCells(g.cells, o.run.kinds, l)
	return o
}

func (r *run) begin() {
	r.err, r.at = nil, nil
	r.changes, r.entries, r.packed, r.later = r.changes[:0], r.entries[:0], r.packed[:0], r.later[:0]
	for _, m := range r.memories {
		m.begin()
	}
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
	owner, nonce, err = o.t.decode(&o.run, value)
	if err == nil {
		err = o.run.tooLarge()
	}
	return owner, nonce, err
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
	for _, m := range o.run.memories {
		m.took()
	}
	event := o.taken
	o.taken++
	if !live {
		event = ^event
		o.cells.known.restart()
	}
	for _, l := range o.run.later {
		o.rows = append(o.rows, row{offset, l.arg, -1 - l.memory, event})
	}
	if !live {
		return
	}
	for i := range o.run.changes {
		c := &o.run.changes[i]
		o.rows = append(o.rows, row{offset: offset, arg: c.arg, slot: o.cells.slot(c.cell, c.key, c.hour)})
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
func (o *operator) Run(logTimes []int64, load func() error) (err error) {
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
		if r.slot < 0 {
			err = o.remember(r, logTimes, load)
		} else {
			err = o.apply(r.slot, r.offset, r.arg)
		}
		if err != nil {
			return err
		}
	}
	o.rows, o.taken = o.rows[:0], 0
	for _, m := range o.run.memories {
		m.ran()
	}
	for _, k := range o.run.kinds {
		k.ran()
	}
	return nil
}

// apply lets an event change a cell.
func (o *operator) apply(slot int32, offset, arg int64) error {
	s := &o.cells.slots[slot]
	o.run.at = o.stage.cells[s.cell]
	if err := o.cells.apply(slot, offset, arg); err != nil {
		return fmt.Errorf("step %s, key %.100q: %w", o.run.at.name, s.key(), err)
	}
	return nil
}

// remember runs an event that waits in a memory, and the steps after it.
func (o *operator) remember(w *row, logTimes []int64, load func() error) error {
	r := &o.run
	event := w.event
	if r.live = event >= 0; !r.live {
		event = ^event
	}
	r.changes, r.err = r.changes[:0], nil
	r.memories[-1-w.slot].run(r, w.arg, logTimes[event])
	for i := range r.changes {
		c := &r.changes[i]
		slot := o.cells.slot(c.cell, c.key, c.hour)
		if len(o.cells.missing) > 0 {
			if err := load(); err != nil {
				return err
			}
		}
		if err := o.apply(slot, w.offset, c.arg); err != nil {
			return err
		}
	}
	return r.err
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

// AppendState appends the operator state: the definition that made it, and what its
// steps remember.
//
//	version u8 | settings, behind their length as a uvarint | memories (remember.go)
func (o *operator) AppendState(dst []byte) []byte {
	return o.appendMemories(appendSized(append(dst, stateVersion), o.stage.settings(o.t)))
}

const stateVersion = 2

var errState = errors.New("topology: operator state cannot be what was written")

// LoadState implements microbatch.Operator. Of the state of another definition, what
// means the same is kept.
func (o *operator) LoadState(b []byte) error {
	if len(b) == 0 || b[0] != stateVersion {
		return fmt.Errorf("%w: does not begin with version %d", errState, stateVersion)
	}
	o.cells.known.restart()
	_, rest, err := sized(b[1:])
	if err != nil {
		return err
	}
	return o.loadMemories(rest)
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
