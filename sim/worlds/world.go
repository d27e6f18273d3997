package worlds

import (
	"context"
	"fmt"
	"runtime/debug"

	"speedlayer/catalog"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/sim/batch"
	"speedlayer/store"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// Sizes of a world.
const (
	stepsPerWorld = 240
	maxRecords    = 18 // that clients send
	maxProcessors = 4  // alive at once
	maxLogEnd     = 80 // records of a partition: moving again ends there
)

// world is one log, one store, and what runs on them.
type world struct {
	*choices
	cov     *Coverage
	seen    seen
	store   *tornStore
	parts   []*partition
	epoch   store.Epoch
	persons [][]string
	now     int64

	slots, bytes int // limits of the cell cache
	deltas       int // that the store takes of a cell
	batch        int // records of the smallest batch
	gaps         bool

	urls          []string // that clients send
	times, ticks  []int64
	clientRecords int

	edges  *query.Edges
	linked map[[2]string]bool // the edges that hold
	layer  *batch.Layer
	runs   int // begun
	spent  int // that failed for good, since their markers did not count

	tasks      []*task
	running    *task
	processors int
	clients    int
	sketches   int  // puts of sketches
	calm       bool // no faults: the world comes to its end
	state      []byte

	failure error
	tracing bool
	lines   []string
}

func (w *world) fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
		w.trace("WRONG: %v", w.failure)
	}
}

func (w *world) trace(format string, args ...any) {
	if !w.tracing {
		return
	}
	who := "world"
	if w.running != nil {
		who = w.running.name
	}
	w.lines = append(w.lines, who+": "+fmt.Sprintf(format, args...))
}

func (w *world) saw(s situation) { w.seen[s] = true }

func (w *world) sawIf(s situation, yes bool) {
	if yes {
		w.seen[s] = true
	}
}

// fault happens once in n times, while things may go wrong.
func (w *world) fault(n int) bool { return !w.calm && w.below(n) == n-1 }

// call is a call of the store or the queue: others run before it happens, and
// its answer may be lost.
func (w *world) call(what string) error {
	if err := w.pause(what); err != nil {
		return err
	}
	if w.fault(60) {
		return fmt.Errorf("%s: %w", what, errLost)
	}
	return nil
}

// newWorld makes the store's first rows and the empty logs.
func newWorld(c *choices, cov *Coverage, tracing bool) *world {
	w := &world{choices: c, cov: cov, tracing: tracing, calm: true}
	w.store = newTornStore(w)
	w.edges, w.linked, w.layer = query.NewEdges(), map[[2]string]bool{}, w.newLayer()
	w.now = 475000 * 60 * minute // an hour's start in 2024
	partitions := int32(2 - w.below(3)/2)
	w.persons = persons(partitions, fewPersons)
	w.slots, w.bytes = []int{128, 3, 6, 12}[w.below(4)], 1<<20
	w.deltas = []int{0, 1, 3}[w.below(3)]
	w.batch, w.gaps = 1, w.below(4) == 3
	w.urls, w.times, w.ticks, w.clientRecords = wideURLs, times, ticks, maxRecords
	switch w.below(5) {
	case 3:
		w.narrow()
	case 4:
		w.gather()
	}
	s := w.settings()
	var err error
	w.epoch, _, err = catalog.EnsureEpoch(context.Background(), w.store, queue.TopicInfo{ID: "t", Partitions: partitions,
		Starts: make([]int64, partitions), Ends: make([]int64, partitions)}, s)
	if err != nil {
		w.fail("no first epoch: %v", err)
		return w
	}
	settings, err := oracle.ParseSettings(w.epoch.Settings)
	if err != nil {
		w.fail("settings: %v", err)
	}
	for part := range partitions {
		w.parts = append(w.parts, w.newPartition(w.epoch, part, settings))
	}
	w.calm = false
	w.trace("%d partitions, cache of %d slots, settings %s", partitions, w.slots, w.epoch.Settings)
	return w
}

// settings are small, so that what is remembered ends within a few events.
func (w *world) settings() record.Settings {
	s := view.Defaults()
	s.DedupeWindow = []int64{60, 20, 12, 0}[w.below(4)] * minute
	s.DedupeEntries = 2 + w.below(4)
	v := view.DefaultSettings()
	v.VisitsWindow = []int64{120, 60, 31, 0}[w.below(4)] * minute
	v.VisitsEntries = 2 + w.below(2)
	s.Operator = v.String()
	return s
}

// run lets a world happen. What goes wrong is in w.failure.
func (w *world) run() {
	defer func() {
		if r := recover(); r != nil {
			w.fail("panic: %v\n%s", r, debug.Stack())
			w.tasks = nil // what panicked cannot be resumed
		}
		w.killAll()
		w.cov.add(&w.seen)
	}()
	for step := 0; step < stepsPerWorld && w.failure == nil && w.begin(groupSteps+step); step++ {
		w.step()
		w.cov.Steps++
	}
	if w.failure == nil {
		w.begin(groupEnd)
		w.end()
	}
}

// step does one thing, whichever is chosen.
func (w *world) step() {
	switch k := w.below(40); {
	case k == 0: // nothing
	case k < 9 && w.clients < w.clientRecords:
		w.clients++
		w.appendClient()
	case k < 12 && len(w.store.inFlight) > 0:
		w.deliverSome()
	case k < 15 && w.alive() < maxProcessors:
		w.startProcessor(w.parts[w.below(len(w.parts))])
	case k == 15 && len(w.tasks) > 0:
		t := w.tasks[w.below(len(w.tasks))]
		w.trace("%s is killed at %s", t.name, t.at)
		w.kill(t)
	case k == 16:
		w.startSettings()
	case k == 17 && w.runsUnderWay() < 2 && !w.markersFull():
		w.startRun()
	case k == 18 && w.asking() < 2:
		w.startQuery()
	case k == 19:
		w.trim()
	case k == 20:
		switch w.below(4) {
		case 1:
			w.startRollback()
		case 2:
			w.startRetire()
		default:
			w.changeEdge()
		}
	case k > 34 && w.runsUnderWay() > 0:
		w.driveRun()
	case len(w.tasks) > 0:
		t := w.tasks[w.below(len(w.tasks))]
		for n := []int{1, 1, 2, 4}[w.below(4)]; n > 0 && !t.over; n-- {
			w.resume(t)
		}
	}
}

func (w *world) alive() (n int) {
	for _, t := range w.tasks {
		if t.part != nil {
			n++
		}
	}
	return n
}

func (w *world) asking() (n int) {
	for _, t := range w.tasks {
		if t.query {
			n++
		}
	}
	return n
}

// deliverSome lets puts arrive, picked from all that are on their way.
func (w *world) deliverSome() {
	for range []int{1, 4, 16, 64}[w.below(4)] {
		if len(w.store.inFlight) > 0 {
			w.store.deliver(w.below(len(w.store.inFlight)))
		}
	}
}

// trim drops what no snapshot needs any more from a log.
func (w *world) trim() {
	p := w.parts[w.below(len(w.parts))]
	if name, ok := w.store.names[p.shard]; ok && name.Offset > p.start {
		w.trace("the log of %v begins at %d now", p.shard, name.Offset)
		p.start = name.Offset
	}
}

// end kills everything, then has new processors read to the end of the log
// without faults, and looks at what is in the store: before and after the puts
// of the dead arrive.
func (w *world) end() {
	w.killAll()
	for len(w.store.inFlight) > 0 && w.below(3) > 0 {
		w.store.deliver(w.below(len(w.store.inFlight)))
	}
	late := w.store.inFlight
	w.store.inFlight = nil
	w.sawTorn(late)
	w.trace("the end: new processors, no faults")
	w.calm = true
	w.readToEnd()
	if w.failure != nil {
		return
	}
	w.checkEnd()
	w.checkLastQuery()
	w.trace("the puts of the dead arrive")
	w.store.inFlight = late
	for len(w.store.inFlight) > 0 {
		w.store.deliver(0)
	}
	w.checkEnd()
	w.lastRun()
}

// readToEnd has new processors, and what else is under way, come to its end.
func (w *world) readToEnd() {
	for _, p := range w.parts {
		w.startProcessor(p)
	}
	for step := 0; (!w.settled() || w.runsUnderWay() > 0) && w.failure == nil; step++ {
		if step > 2000 {
			w.fail("no end is reached: %s", w.standing())
			return
		}
		for len(w.store.inFlight) > 0 {
			w.store.deliver(0)
		}
		for i := 0; i < len(w.tasks); i++ {
			w.resume(w.tasks[i])
		}
	}
	w.killAll()
}

// lastRun absorbs everything, which changes no answer but where memory was short.
func (w *world) lastRun() {
	if w.failure != nil || w.below(2) == 0 {
		return
	}
	before, spent := w.store.pointer.Current, w.spent
	w.startRun()
	w.readToEnd()
	if w.spent > spent && w.failure == nil { // the log no longer has the run's marker: another number
		w.startRun()
		w.readToEnd()
	}
	if w.failure != nil {
		return
	}
	if now := w.store.pointer.Current; now == nil || before != nil && now.Number == before.Number {
		w.fail("a run without faults did not complete: the pointer is %+v", w.store.pointer)
	}
	w.checkEnd()
	w.checkLastQuery()
}

func (w *world) sawTorn(late []*put) {
	for _, p := range late {
		w.saw(PutNeverArrived)
		w.sawIf(TornFlush, p.flight.delivered > 0)
	}
}

// settled reports whether every log is committed to its end.
func (w *world) settled() bool {
	for _, p := range w.parts {
		if len(p.records) > 0 && w.store.commits[p.shard].Offset < p.end() {
			return false
		}
	}
	return true
}

func (w *world) standing() string {
	text := ""
	for _, t := range w.tasks {
		text += t.name + " at " + t.at + "; "
	}
	return text
}
