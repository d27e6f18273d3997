package topologies

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/topology"
)

// Sizes of a world.
const (
	steps         = 160
	maxEvents     = 16
	maxProcessors = 4
)

// world is a topology, its topics and stores, and what runs on them.
type world struct {
	random   *rand.Rand
	cov      *Coverage
	def      *def
	topology *topology.Topology
	handles  []handles
	stages   []*stage
	slots    int // of the cell caches
	now      int64
	events   []*event
	fresh    int // events before this one were sent to other partitions: they are not sent again

	tasks   []*task
	running *task
	calm    bool // no faults: the world comes to its end
	failure error
}

// stage is a topic, its store, and the log epoch.
type stage struct {
	plan     topology.Stage
	store    *tornStore
	parts    []*partition
	epoch    store.Epoch
	settings record.Settings
}

type partition struct {
	stage  *stage
	shard  store.Shard
	recs   []*kgo.Record
	next   int64
	states map[int64][]byte // operator state by offset
}

// event is a record that a client sends, perhaps several times.
type event struct {
	number, hour int
	words        []string
	part         int   // of the first append
	offset       int64 // of the first append
	epoch        int   // log epoch of the first append
	logTime      int64 // there
	wrong        bool  // it lay in a wrong partition once
}

func (w *world) fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
	}
}

func (w *world) below(n int) int { return w.random.IntN(n) }

// fault happens once in n times, while things may go wrong.
func (w *world) fault(n int) bool { return !w.calm && w.below(n) == 0 }

// Run lets the world of a seed happen, and returns what went wrong in it.
func Run(seed uint64, cov *Coverage) error {
	w := &world{random: rand.New(rand.NewPCG(seed, 77)), cov: cov, calm: true, now: 1_700_000_000_000}
	cov.Worlds++
	w.run()
	if w.failure != nil {
		return fmt.Errorf("world of seed %d, %v: %w", seed, w.def, w.failure)
	}
	return nil
}

func (w *world) run() {
	defer func() {
		if r := recover(); r != nil {
			w.fail("panic: %v\n%s", r, debug.Stack())
			w.tasks = nil // what panicked cannot be resumed
		}
		w.killAll()
	}()
	w.make()
	w.live()
	if w.failure == nil && w.below(3) == 0 {
		w.end()
		w.addPartitions()
		w.live()
	}
	if w.failure == nil {
		w.end()
	}
}

// make makes the topics and the stores' first rows.
func (w *world) make() {
	w.def = draw(w.random)
	w.topology, w.handles = w.def.build()
	if err := w.topology.Err(); err != nil {
		w.fail("%v", err)
		return
	}
	w.slots = []int{1, 2, 4, 128}[w.below(4)]
	for _, plan := range w.topology.Stages() {
		g := &stage{plan: plan, store: newStore(w), settings: record.DefaultSettings(plan.Settings())}
		for range 1 + w.below(3) {
			w.addPartition(g)
		}
		w.stages = append(w.stages, g)
		w.settle(g)
	}
}

func (w *world) addPartition(g *stage) {
	p := &partition{stage: g}
	p.shard.Partition = int32(len(g.parts))
	g.parts = append(g.parts, p)
}

// settle begins a log epoch.
func (w *world) settle(g *stage) {
	info := queue.TopicInfo{ID: "t", Partitions: int32(len(g.parts)), Starts: make([]int64, len(g.parts))}
	for _, p := range g.parts {
		info.Ends = append(info.Ends, p.next)
	}
	info.Stable = info.Ends
	e, _, err := catalog.EnsureEpoch(context.Background(), g.store, info, g.settings)
	if err != nil {
		w.fail("no log epoch: %v", err)
	}
	g.epoch = e
	for _, p := range g.parts {
		p.shard.Epoch, p.states = e.Number, map[int64][]byte{}
	}
}

// live does things, whichever are chosen.
func (w *world) live() {
	w.calm = false
	for range steps {
		if w.failure != nil {
			return
		}
		w.step()
	}
}

func (w *world) step() {
	switch k := w.below(40); {
	case k < 6 && len(w.events) < w.fresh+maxEvents:
		w.send()
	case k < 7:
		w.sendAgain()
	case k < 10:
		w.deliverSome()
	case k < 13:
		if w.processors() < maxProcessors {
			w.startProcessor(w.anyPartition())
		}
	case k == 13 && len(w.tasks) > 0:
		w.cov.Kills++
		w.kill(w.tasks[w.below(len(w.tasks))])
	case k == 14 && w.below(4) == 0:
		w.beginGeneration()
	case len(w.tasks) > 0:
		t := w.tasks[w.below(len(w.tasks))]
		for n := 1 + w.below(4); n > 0 && !t.over; n-- {
			w.resume(t)
		}
	}
}

func (w *world) processors() (n int) {
	for _, t := range w.tasks {
		if t.proc {
			n++
		}
	}
	return n
}

func (w *world) anyPartition() *partition {
	g := w.stages[w.below(len(w.stages))]
	return g.parts[w.below(len(g.parts))]
}

var vocabulary = []string{"a", "b", "ab", "bad", "\x00c", "\x01"}

// send sends a new event.
func (w *world) send() {
	e := &event{number: len(w.events) + 1, hour: w.below(3), offset: -1}
	for range w.below(4) {
		e.words = append(e.words, vocabulary[w.below(len(vocabulary))])
	}
	w.events = append(w.events, e)
	w.transmit(e)
}

// sendAgain sends events again: with a nonce any one, of a feed all from one on.
func (w *world) sendAgain() {
	if w.fresh == len(w.events) {
		return
	}
	from := w.fresh + w.below(len(w.events)-w.fresh)
	to := from + 1
	if !w.def.nonce {
		to = len(w.events)
	}
	for _, e := range w.events[from:to] {
		w.cov.Duplicates++
		w.transmit(e)
	}
}

// transmit appends an event to the source's topic. One with a nonce belongs to the
// partition of its nonce and may lie anywhere; one of a feed has its position.
func (w *world) transmit(e *event) {
	parts := w.stages[0].parts
	at := e.number % len(parts)
	var key []byte
	var headers []kgo.RecordHeader
	if w.def.nonce {
		key = []byte(strconv.Itoa(e.number))
		at = int(record.PartitionOf(key, int32(len(parts))))
		if w.below(4) == 0 {
			if other := w.below(len(parts)); other != at {
				at, e.wrong = other, true
			}
		}
	} else {
		headers = append(headers, header(record.Source{Epoch: 1 << 31, Partition: 7, Offset: int64(e.number)}))
	}
	offset := w.append(parts[at], key, []byte(text(e.number, e.hour, e.words)), headers...)
	if e.offset < 0 {
		e.part, e.offset, e.epoch, e.logTime = at, offset, int(w.stages[0].epoch.Number), w.now
	}
}

func (w *world) append(p *partition, key, value []byte, headers ...kgo.RecordHeader) int64 {
	if w.below(6) == 0 {
		p.next += int64(w.below(3)) // what was aborted has offsets too
	}
	w.now += int64(w.below(1000))
	p.recs = append(p.recs, &kgo.Record{Topic: p.stage.plan.Topic(), Partition: p.shard.Partition, Offset: p.next,
		Timestamp: time.UnixMilli(w.now), Key: key, Value: value, Headers: headers})
	p.next++
	return p.next - 1
}

// read returns copies of the first n records from an offset on.
func (p *partition) read(from int64, n int) (out []*kgo.Record) {
	for _, r := range p.recs {
		if r.Offset >= from && len(out) < n {
			again := *r
			again.Key, again.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
			out = append(out, &again)
		}
	}
	return out
}

// beginGeneration begins a generation of the source's stage, as a change of settings
// does: number, table, list, markers.
func (w *world) beginGeneration() {
	g := w.stages[0]
	p := g.store.pointer
	number := p.Next
	g.store.created[number] = true
	p.Counter, p.Next, p.Generations = p.Counter+1, number+1, append(p.Generations[:len(p.Generations):len(p.Generations)], number)
	g.store.pointer = p
	for _, part := range g.parts {
		w.append(part, nil, record.Marker{Generation: number, Settings: &g.settings}.Append(nil), kgo.RecordHeader{Key: record.MarkerHeader, Value: []byte("1")})
	}
	w.cov.Generations++
}

// addPartitions gives the source's topic one more. What is sent from then on lies
// elsewhere, so what was sent before is not sent again: nobody remembers it.
func (w *world) addPartitions() {
	if w.failure != nil {
		return
	}
	w.cov.Partitions++
	w.addPartition(w.stages[0])
	w.settle(w.stages[0])
	w.fresh = len(w.events)
}

// deliverSome lets puts arrive, picked from all that are on their way.
func (w *world) deliverSome() {
	for _, g := range w.stages {
		for range 1 + w.below(12) {
			if n := len(g.store.inFlight); n > 0 {
				g.store.deliver(w.below(n))
			}
		}
	}
}

// end kills everything, has new processors read to the end of all logs without
// faults, and compares the results: before and after the puts of the dead arrive.
func (w *world) end() {
	w.killAll()
	w.calm = true
	late := make([][]*put, len(w.stages))
	for i, g := range w.stages {
		late[i], g.store.inFlight = g.store.inFlight, nil
	}
	for _, g := range w.stages {
		for _, p := range g.parts {
			w.startProcessor(p)
		}
	}
	for round := 0; !w.settled() && w.failure == nil; round++ {
		if round > 2000 {
			w.fail("no end is reached")
		}
		for _, g := range w.stages {
			for len(g.store.inFlight) > 0 {
				g.store.deliver(0)
			}
		}
		for i := 0; i < len(w.tasks); i++ {
			w.resume(w.tasks[i])
		}
	}
	w.killAll()
	w.compare()
	for i, g := range w.stages {
		g.store.inFlight = late[i]
		for len(g.store.inFlight) > 0 {
			g.store.deliver(0)
		}
	}
	w.compare()
}

// settled reports whether every log is committed to its end.
func (w *world) settled() bool {
	for _, g := range w.stages {
		for _, p := range g.parts {
			end := g.epoch.Starts[p.shard.Partition]
			if n := len(p.recs); n > 0 {
				end = max(end, p.recs[n-1].Offset+1)
			}
			if c := g.store.commits[p.shard].Offset; c < end && end > g.epoch.Starts[p.shard.Partition] {
				return false
			}
		}
	}
	return true
}
