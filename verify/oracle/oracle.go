package oracle

import (
	"encoding/binary"
	"fmt"
	"slices"

	"speedlayer/store"
)

// Options report which partition, and where its log epoch begins.
type Options struct {
	Topic      string // part of the nonce of a record without one; empty is "pageviews"
	Epoch      uint32
	Partition  int32
	Partitions int32
	Start      int64  // first offset of the epoch
	Generation uint32 // the one the epoch begins in
	Settings   Settings
	Trust      *Trust // which internal records count; nil: all
	Histories  bool   // keep every version of every cell: for small logs
}

// Header is one header of a record.
type Header struct {
	Name  string
	Value []byte
}

// Record is one record of the log, as it lies there.
type Record struct {
	Offset     int64
	Timestamp  int64 // ms since 1970
	Key, Value []byte
	Headers    []Header
}

// Source reports where a rerouted record came from.
type Source struct {
	Epoch     uint32
	Partition int32
	Offset    int64
}

// Rerouted is a record that lay in a wrong partition.
type Rerouted struct {
	Target   int32
	Key      []byte // the person
	Value    []byte // JSON, with a nonce
	Pageview Pageview
	Source   Source
}

// DeadLetter is a record that was not understood.
type DeadLetter struct {
	Record Record
	Reason string
}

// Oracle is what one partition's log says. Not for concurrent use.
type Oracle struct {
	opt      Options
	settings Settings
	next     int64
	counts   store.CommitRecord
	dedupe   dedupeMemory
	visits   visitMemory
	sources  map[sourcePartition]int64 // highest offset had
	cells    map[CellKey]*cell
	urls     map[string]string // url as received -> page, of those that are pages
	rerouted []Rerouted
	dead     []DeadLetter
}

type sourcePartition struct {
	epoch     uint32
	partition int32
}

// New returns the oracle of a partition whose epoch has had no record.
func New(opt Options) *Oracle {
	if opt.Topic == "" {
		opt.Topic = "pageviews"
	}
	return &Oracle{
		opt: opt, settings: opt.Settings, next: opt.Start,
		counts:  store.CommitRecord{Generation: opt.Generation, GenerationStart: opt.Start},
		dedupe:  dedupeMemory{pairs: map[pair]bool{}},
		visits:  visitMemory{byKey: map[visitKey][]*visit{}},
		sources: map[sourcePartition]int64{},
		cells:   map[CellKey]*cell{},
		urls:    map[string]string{},
	}
}

// Next is the lowest offset that the next record may have.
func (o *Oracle) Next() int64 { return o.next }

// Counts is the commit record of a commit at Next.
func (o *Oracle) Counts() store.CommitRecord { return o.counts }

// Rerouted is what left for other partitions, in log order.
func (o *Oracle) Rerouted() []Rerouted { return o.rerouted }

// DeadLetters is what was not understood, in log order.
func (o *Oracle) DeadLetters() []DeadLetter { return o.dead }

// Freeze reports that no event at or above version changes a cell: it stays as it
// is at that version. It must be called before such an event is added.
func (o *Oracle) Freeze(k CellKey, version int64) { o.cell(k).frozen = version }

// Cell is a cell as it is now; false if no event has changed it, nor would have
// if it were not frozen.
func (o *Oracle) Cell(k CellKey) (Cell, bool) {
	c := o.cells[k]
	if c == nil || c.first == 0 && c.missed == 0 {
		return Cell{}, false
	}
	return Cell{Version{c.version, c.value()}, c.first, c.missed, c.history}, true
}

// At is a cell's value at a version; false if it never had that version.
// Options.Histories must be set.
func (o *Oracle) At(k CellKey, version int64) (Value, bool) {
	if c := o.cells[k]; c != nil {
		for _, v := range c.history {
			if v.Version == version {
				return v.Value, true
			}
		}
	}
	return Value{}, false
}

// Below is a cell as every event below offset has made it; false if none
// changed it. Options.Histories must be set.
func (o *Oracle) Below(k CellKey, offset int64) (Version, bool) {
	var last Version
	found := false
	if c := o.cells[k]; c != nil {
		for _, v := range c.history {
			if v.Version <= offset {
				last, found = v, true
			}
		}
	}
	return last, found
}

// Keys are the keys of all cells that Cell finds, sorted.
func (o *Oracle) Keys() []CellKey {
	var keys []CellKey
	for k, c := range o.cells {
		if c.first != 0 || c.missed != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, CellKey.Compare)
	return keys
}

func (o *Oracle) cell(k CellKey) *cell {
	c := o.cells[k]
	if c == nil {
		c = &cell{}
		o.cells[k] = c
	}
	return c
}

// change makes one change to a cell of the newest generation.
func (o *Oracle) change(v View, url string, hour int32, do func(c *cell)) {
	c := o.cell(CellKey{o.counts.Generation, v, url, hour})
	before := c.version
	do(c)
	if o.opt.Histories && c.version != before {
		c.history = append(c.history, Version{c.version, c.value()})
	}
}

// Add takes the next record. A log may have gaps in its offsets, but never goes
// back.
func (o *Oracle) Add(r Record) {
	if r.Offset < o.next {
		panic(fmt.Sprintf("oracle: record %d where %d was due", r.Offset, o.next))
	}
	o.next = r.Offset + 1
	o.counts.Records++
	o.counts.LogTime = max(o.counts.LogTime, r.Timestamp)
	if o.isMarker(r) {
		o.addMarker(r)
	} else if err := o.addPageview(r); err != nil {
		o.counts.Rejected++
		o.dead = append(o.dead, DeadLetter{r, err.Error()})
	}
	o.counts.DedupeOldest = o.dedupe.oldest()
	o.counts.DedupeEntries = int64(len(o.dedupe.queue))
	o.counts.Operator = string(binary.AppendVarint(binary.AppendVarint(nil, int64(o.visits.count)), o.visits.oldestTime()))
}

func (r *Record) has(name string) bool {
	_, ok := r.header(name)
	return ok
}

// header is the value of the first header of a name.
func (r *Record) header(name string) ([]byte, bool) {
	for _, h := range r.Headers {
		if h.Name == name {
			return h.Value, true
		}
	}
	return nil, false
}
