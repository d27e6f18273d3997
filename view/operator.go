package view

import (
	"encoding/binary"
	"fmt"

	"github.com/zeebo/xxh3"

	"speedlayer/event"
	"speedlayer/store"
)

const hourMS = 3600 * 1000

// Limits bound the cache of cells. They change no result.
type Limits struct {
	Slots int // (url, hour) pairs; 0 is 122,880
	Bytes int // of visitor sets and sketches; 0 is 16 MiB
	// Deltas is how many deltas of a cell the store takes (store.Deltas). A set
	// of visitors that grew a little is put as one then, if it has DeltaFrom
	// members; 0 is 9, for key and row take more than so few.
	Deltas    int
	DeltaFrom int
	// Additions: the store takes additions (store.TakesAdditions), and deltas without
	// a limit.
	Additions bool
}

// Pageviews is the operator of web analytics: the three views of one partition.
// Its state is what visits remember; its cells are a cache over the store.
type Pageviews struct {
	decoder event.Decoder
	pv      event.Pageview // last decoded; its bytes are the record's
	page    []byte         // its page

	rows   []row
	cells  *cells
	memory *visitMemory
	delta  changes
	out    flush
}

// row is one event of a batch: a line of its columns.
type row struct {
	offset int64
	ts     int64
	person uint64
	domain uint64 // hash of the domain
	slot   int32  // page slot; -1 when the event changes no cells
}

// NewPageviews returns an operator with no memory of the past. Its settings come
// with Begin.
func NewPageviews(l Limits) *Pageviews { return newPageviews(DefaultSettings(), l) }

func newPageviews(s Settings, l Limits) *Pageviews {
	if l.Slots == 0 {
		l.Slots = 120 << 10
	}
	if l.Bytes == 0 {
		l.Bytes = 16 << 20
	}
	c := newCells(l.Slots, l.Bytes)
	if c.deltas, c.deltaFrom = l.Deltas, l.DeltaFrom; c.deltaFrom == 0 {
		c.deltaFrom = 9
	}
	c.adds = l.Additions && l.Deltas == store.Unlimited
	return &Pageviews{cells: c, memory: newVisitMemory(s.VisitsWindow, s.VisitsEntries)}
}

// Decode reads a record's value and keeps it as the operator's current event.
// It returns who viewed (the record's owner, valid until the next Decode) and
// the nonce, nil if it has none. An error reports why the record is rejected.
func (p *Pageviews) Decode(value []byte, recordTime, logTime int64) (owner, nonce []byte, err error) {
	if p.page, err = p.decoder.Accept(p.page[:0], value, recordTime, logTime, &p.pv); err != nil {
		return nil, nil, err
	}
	if p.pv.HasNonce {
		nonce = p.pv.Nonce
	}
	return p.pv.Person, nonce, nil
}

// AppendWithNonce encodes the current event with a nonce of its own.
func (p *Pageviews) AppendWithNonce(dst, nonce []byte) []byte {
	pv := p.pv
	pv.Nonce, pv.HasNonce = nonce, true
	return event.AppendJSON(dst, &pv)
}

// Take makes the current event the next one of the batch; ownerHash is its
// person's. An event that is not live changes the operator state only: its
// cells have it already.
func (p *Pageviews) Take(offset int64, ownerHash uint64, live bool) {
	n := len(event.DomainOf(p.page))
	r := row{offset: offset, ts: p.pv.TS, person: ownerHash, domain: xxh3.Hash(p.page[:n]), slot: -1}
	hour := event.HourOf(r.ts)
	p.cells.known.see(hour, live)
	if live {
		r.slot = p.cells.page(p.page, n, hour)
	}
	p.rows = append(p.rows, r)
}

// Taken returns the hash of the domain (XXH3 of its text) and the time in ms of the
// event that was taken last.
func (p *Pageviews) Taken() (domain uint64, ts int64) {
	r := &p.rows[len(p.rows)-1]
	return r.domain, r.ts
}

// Missing appends the keys of cells that must be read from the store before
// Run, sorted. The caller answers with Fill for those that are there.
func (p *Pageviews) Missing(dst []store.Key) []store.Key {
	if len(p.cells.missing) == 0 {
		return dst
	}
	return p.cells.missingKeys(dst)
}

// Fill gives the n-th missing cell as the store has it.
func (p *Pageviews) Fill(n int, version int64, value []byte) error {
	return p.cells.fill(n, version, value)
}

// Filled reports that all missing cells which the store has were given.
func (p *Pageviews) Filled() { p.cells.filled() }

// Run applies the events taken, in log order. Late events may change visits of
// hours that no event of the batch lies in; load is called to have those cells
// read (through Missing, Fill and Filled). Its error ends the operator's life:
// the state has moved on and cannot be used again.
func (p *Pageviews) Run(logTimes []int64, load func() error) error {
	for n := range p.rows {
		r := &p.rows[n]
		p.memory.view(visitKey{r.domain, r.person}, r.ts, logTimes[n], &p.delta)
		if r.slot < 0 {
			continue
		}
		d := p.cells.slots[r.slot].domain
		for _, i := range [...]int32{r.slot, d} {
			p.cells.addView(i, r.offset)
			p.cells.addPerson(i, r.person, r.offset)
		}
		for _, ch := range p.delta.list[:p.delta.n] {
			i := d
			if ch.hour != p.cells.slots[d].hour {
				i = p.cells.domain(p.cells.slots[d].url, ch.hour)
				if len(p.cells.missing) > 0 {
					if err := load(); err != nil {
						return err
					}
				}
			}
			p.cells.addVisits(i, ch.visits, ch.bounces, r.offset)
		}
	}
	p.rows = p.rows[:0]
	return nil
}

// Changed returns the cells that differ from the store, sorted by key. They are
// valid until Acknowledged.
func (p *Pageviews) Changed() []store.Cell { return p.out.encode(p.cells) }

// Acknowledged reports that all that Changed returned is durable.
func (p *Pageviews) Acknowledged() {
	p.out.free()
	p.cells.evict()
}

// Begin starts a generation whose first offset in this partition is start, with
// the settings that hold from there on. Everything changed was acknowledged. Memory
// of the past is kept.
func (p *Pageviews) Begin(generation uint32, start int64, settings string) error {
	s, err := ParseSettings(settings)
	if err == nil {
		p.begin(generation, start, s)
	}
	return err
}

func (p *Pageviews) begin(generation uint32, start int64, s Settings) {
	p.cells.reset(generation, start)
	p.cells.known.begin()
	p.memory.window, p.memory.bound = s.VisitsWindow, s.VisitsEntries
}

// AppendCounts appends what the views add to a commit record.
func (p *Pageviews) AppendCounts(dst []byte) []byte {
	return Counts{int64(p.memory.count), p.memory.oldestTime()}.Append(dst)
}

// CheckSettings implements record.Rules.
func (*Pageviews) CheckSettings(operator string) error { return CheckSettings(operator) }

// Hash returns the hashes by which dedupe remembers an event.
func (*Pageviews) Hash(owner, nonce []byte) (ownerHash, nonceHash uint64) {
	return event.PersonHash(owner), event.NonceHash(nonce)
}

// AppendState appends the operator state, version 2:
//
//	version u8 | newest hour u32, little-endian | visits, see visits.go
//
// The newest hour changes no result. Version 1 did not have it.
func (p *Pageviews) AppendState(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, stateVersion), uint32(p.cells.known.newest))
	return p.memory.appendState(dst)
}

const (
	stateVersion = 2
	stateHead    = 1 + 4
)

// LoadState replaces the operator state by one that AppendState wrote.
func (p *Pageviews) LoadState(b []byte) error {
	if len(b) < stateHead || b[0] != stateVersion {
		return fmt.Errorf("%w: does not begin with version %d", errState, stateVersion)
	}
	p.memory.reset(p.memory.window, p.memory.bound)
	p.cells.known.restart(int32(binary.LittleEndian.Uint32(b[1:])))
	rest, err := p.memory.loadState(b[stateHead:])
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes after it", errState, len(rest))
	}
	return nil
}

// StateBytes estimates the length of what AppendState appends.
func (p *Pageviews) StateBytes() int { return stateHead + 4 + p.memory.count*visitBytes }
