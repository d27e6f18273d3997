package view

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"speedlayer/crdt"
	"speedlayer/event"
	"speedlayer/store"
)

// The scripts in testdata tell what views do to cells, in readable steps; go test
// ./view -rewrite writes down what they got.
//
//	settings [window=4h] [entries=N]        starts over
//	pageview t=13:30 person=P url=U [log=13:31]
//	                                        one event, a batch of its own; prints the cells that
//	                                        it changed; the log's time is t, or later by log=
//	marker                                  a new generation starts after it
//	restart                                 another operator takes over from the state
//	cells [view=V]                          all cells, and checks: see checkLog
//	memory                                  the visits remembered, touched longest ago first
//
// Times are of one day, hours from 24 on are of the next.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.HasPrefix(path, "testdata/fuzz") {
			return
		}
		w := newWorld(Settings{VisitsWindow: 4 * hourMS, VisitsEntries: 1 << 10}, Limits{})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return w.step(t, d) })
	})
}

const day = int64(16572) * 24 * hourMS // 2015-05-17

// logged is one thing that stands in the log: an event, or a marker.
type logged struct {
	offset, ts, logTime int64
	person, url         string
	settings            *Settings // of a marker
}

// world is one partition: its log, its store, and the operator at work.
type world struct {
	settings Settings // at the log's start
	limits   Limits
	now      Settings
	log      []logged
	next     int64
	logTime  int64

	op         *Pageviews
	generation uint32
	start      int64
	begun      int64 // events below it are in the store: they change no cells
	cells      map[store.Key]store.Cell
	written    map[version][]byte // every put there ever was; shared by all who run the log
	deltas     int                // how many puts were deltas
	added      int                // how many puts were additions
}

// version is one cell at one version.
type version struct {
	key store.Key
	at  int64
}

func newWorld(s Settings, l Limits) *world {
	w := &world{settings: s, now: s, limits: l, op: newPageviews(s, l),
		cells: make(map[store.Key]store.Cell), written: make(map[version][]byte)}
	w.op.begin(0, 0, s)
	return w
}

func (w *world) step(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "settings":
		s := w.settings
		if d.HasArg("window") {
			s.VisitsWindow = duration(t, arg(t, d, "window")).Milliseconds()
		}
		d.MaybeScanArgs(t, "entries", &s.VisitsEntries)
		*w = *newWorld(s, w.limits)
		return ""
	case "pageview":
		return w.pageview(t, d)
	case "marker":
		w.marker(w.now)
		return fmt.Sprintf("generation %d from offset %d", w.generation, w.start)
	case "restart":
		w.restart(t)
		return ""
	case "cells":
		w.checkLog(t)
		return w.show(d, slices.SortedFunc(maps.Keys(w.cells), store.Key.Compare))
	case "memory":
		return w.memory()
	}
	d.Fatalf(t, "no command %s", d.Cmd)
	return ""
}

func (w *world) pageview(t *testing.T, d *datadriven.TestData) string {
	e := logged{offset: w.next, ts: clock(t, arg(t, d, "t")), person: arg(t, d, "person"), url: arg(t, d, "url")}
	at := e.ts
	if d.HasArg("log") {
		at = clock(t, arg(t, d, "log"))
	}
	w.logTime = max(w.logTime, at)
	e.logTime = w.logTime
	w.next++
	if err := w.take(e); err != nil {
		return "rejected: " + err.Error()
	}
	w.log = append(w.log, e)
	return w.show(d, w.flush(t, []int64{e.logTime}))
}

// take decodes and takes an event as a processor does.
func (w *world) take(e logged) error {
	value := event.AppendJSON(nil, &event.Pageview{Person: []byte(e.person), URL: []byte(e.url), TS: e.ts})
	owner, _, err := w.op.Decode(value, e.logTime, e.logTime)
	if err == nil {
		w.op.Take(e.offset, event.PersonHash(owner), e.offset >= w.begun)
	}
	return err
}

// flush runs what was taken, puts what changed, and returns its keys.
func (w *world) flush(t *testing.T, logTimes []int64) (keys []store.Key) {
	t.Helper()
	load := func() error {
		for n, k := range w.op.Missing(nil) {
			if c, ok := w.cells[k]; ok {
				if err := w.op.Fill(n, c.Version, c.Value); err != nil {
					return err
				}
			}
		}
		w.op.Filled()
		return nil
	}
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if err := w.op.Run(logTimes, load); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.op.Changed() {
		w.put(t, c)
		keys = append(keys, c.Key)
	}
	if !slices.IsSortedFunc(keys, store.Key.Compare) {
		t.Fatalf("changed cells are not sorted: %v", keys)
	}
	w.op.Acknowledged()
	return keys
}

// put is a versioned put; it holds laws 2 and 3: the same version means the same
// bytes, and nothing that was committed before is put again.
func (w *world) put(t *testing.T, c store.Cell) {
	t.Helper()
	c.Value = bytes.Clone(c.Value)
	if w.limits.Additions {
		w.add(t, c)
		return
	}
	if c.Delta > 0 {
		if w.deltas++; c.Version <= w.cells[c.Key].Version {
			return // a zombie's: the store leaves it out
		}
		c.Value, c.Delta = w.merge(t, c), 0
	}
	v := version{c.Key, c.Version}
	if other, ok := w.written[v]; ok && !bytes.Equal(other, c.Value) {
		t.Fatalf("%v at version %d is %x and %x", c.Key, c.Version, other, c.Value)
	}
	w.written[v] = c.Value
	if c.Version <= w.begun {
		t.Fatalf("%v is put at version %d, but all below %d is committed", c.Key, c.Version, w.begun)
	}
	if c.Version > w.cells[c.Key].Version {
		w.cells[c.Key] = c
	}
}

// add is a put into a store that takes additions: each batch comes once.
func (w *world) add(t *testing.T, c store.Cell) {
	t.Helper()
	before, known := w.cells[c.Key]
	switch {
	case c.Adds:
		n, err := crdt.CountDelta(c.Value)
		if err != nil || n == 0 {
			t.Fatalf("%v adds %d: %v", c.Key, n, err)
		}
		if known {
			sum, err := crdt.Count(before.Value)
			if err != nil {
				t.Fatal(err)
			}
			n += sum
		}
		c.Value = crdt.AppendCount(nil, n)
		w.added++
	case c.Delta > 0:
		var set crdt.Visitors
		if known {
			if err := set.Decode(before.Value); err != nil {
				t.Fatal(err)
			}
		}
		if err := set.Grow(c.Value[1:]); err != nil {
			t.Fatal(err)
		}
		c.Value = set.Append(nil)
	}
	c.Delta, c.Adds = 0, false
	w.cells[c.Key] = c
}

// merge is what a store that takes deltas has after one.
func (w *world) merge(t *testing.T, c store.Cell) []byte {
	t.Helper()
	var set crdt.Visitors
	if before, ok := w.cells[c.Key]; ok {
		if err := set.Decode(before.Value); err != nil {
			t.Fatal(err)
		}
	}
	for b := c.Value[1:]; len(b) > 0; b = b[8:] {
		// Of two members that raise one register of a sketch, the higher may come first.
		if !set.Add(binary.LittleEndian.Uint64(b)) && !set.IsSketch() {
			t.Fatalf("%v at version %d: a delta has a member that the store has", c.Key, c.Version)
		}
	}
	return set.Append(nil)
}

func (w *world) marker(s Settings) {
	w.log = append(w.log, logged{offset: w.next, settings: &s})
	w.next++
	w.generation, w.start, w.now = w.generation+1, w.next, s
	w.op.begin(w.generation, w.start, s)
}

// restart replaces the operator by one that knows its state alone.
func (w *world) restart(t *testing.T) {
	t.Helper()
	state := w.op.AppendState(nil)
	w.op = newPageviews(w.now, w.limits)
	w.op.begin(w.generation, w.start, w.now)
	if err := w.op.LoadState(state); err != nil {
		t.Fatal(err)
	}
	if again := w.op.AppendState(nil); !bytes.Equal(again, state) {
		t.Fatalf("state %x comes back as %x", state, again)
	}
}

// checkLog has the whole log run by others, in batches cut at random, taking
// over from each other: by one with hardly any cache into an empty store, by one
// that knows nothing of the puts that are there already (a zombie), and by one
// that replays up to a commit. All of them end with the same cells, and what
// they put on the way is the same at the same version.
func (w *world) checkLog(t *testing.T) {
	t.Helper()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	for _, c := range []struct {
		who    string
		limits Limits
		begun  int64
		cells  map[store.Key]store.Cell
	}{
		{"one with a small cache", Limits{Slots: 4, Bytes: 1}, 0, make(map[store.Key]store.Cell)},
		{"a zombie", Limits{Slots: 8, Bytes: 1}, 0, maps.Clone(w.cells)},
		{"one that writes deltas", Limits{Deltas: store.Unlimited}, 0, make(map[store.Key]store.Cell)},
		{"one that writes deltas, with a small cache", Limits{Slots: 4, Bytes: 1, Deltas: 3}, 0, make(map[store.Key]store.Cell)},
		{"a zombie that writes deltas", Limits{Deltas: store.Unlimited}, 0, maps.Clone(w.cells)},
		{"one that takes over", Limits{}, r.Int64N(w.next + 1), maps.Clone(w.cells)},
		{"one that adds", Limits{Slots: 4, Bytes: 1, Deltas: store.Unlimited, Additions: true}, 0, make(map[store.Key]store.Cell)},
	} {
		o := newWorld(w.settings, c.limits)
		o.cells, o.begun, o.written = c.cells, c.begun, w.written
		o.run(t, r, w.log)
		same := sameCell
		if c.limits.Additions {
			same = sameAdded
		}
		if !maps.EqualFunc(w.cells, o.cells, same) {
			t.Fatalf("seed %d: %s has other cells:\n%s\ninstead of\n%s", seed, c.who, o.all(), w.all())
		}
		w.deltas += o.deltas
		w.added += o.added
	}
}

func sameCell(a, b store.Cell) bool { return a.Version == b.Version && bytes.Equal(a.Value, b.Value) }

// sameAdded is sameCell for one that puts sets without reading them: its version of a
// set may be that of a later view of a member.
func sameAdded(a, b store.Cell) bool {
	later := a.Key.View == UniquesView && b.Version > a.Version
	return (later || a.Version == b.Version) && bytes.Equal(a.Value, b.Value)
}

// run takes a log in batches cut at random.
func (w *world) run(t *testing.T, r *rand.Rand, log []logged) {
	t.Helper()
	var logTimes []int64
	cut := func() {
		w.flush(t, logTimes)
		logTimes = logTimes[:0]
	}
	for _, e := range log {
		w.next = e.offset
		if e.settings != nil {
			cut()
			w.marker(*e.settings)
			continue
		}
		if err := w.take(e); err != nil {
			t.Fatal(err)
		}
		logTimes = append(logTimes, e.logTime)
		if r.IntN(3) == 0 {
			cut()
			if r.IntN(4) == 0 {
				w.restart(t)
			}
		}
	}
	cut()
}

// show writes cells as lines: view, url, hour, value, version.
func (w *world) show(d *datadriven.TestData, keys []store.Key) string {
	var b strings.Builder
	for _, k := range keys {
		name := map[store.ViewID]string{PageviewsView: "pageviews", UniquesView: "uniques", BouncesView: "bounces"}[k.View]
		if d != nil && d.Cmd == "cells" && d.HasArg("view") && d.CmdArgs[0].Vals[0] != name {
			continue
		}
		c := w.cells[k]
		if w.generation > 0 {
			fmt.Fprintf(&b, "generation %d ", k.Generation)
		}
		fmt.Fprintf(&b, "%s %s %s: %s (version %d)\n", name, k.URL, hourText(k.Hour), valueText(k.View, c.Value), c.Version)
	}
	return b.String()
}

func (w *world) all() string {
	return w.show(nil, slices.SortedFunc(maps.Keys(w.cells), store.Key.Compare))
}

func valueText(v store.ViewID, value []byte) string {
	switch v {
	case PageviewsView:
		n, err := crdt.Count(value)
		return fmt.Sprintf("%d%s", n, errText(err))
	case UniquesView:
		var s crdt.Visitors
		err := s.Decode(value)
		return fmt.Sprintf("%d%s", s.Len(), errText(err))
	}
	n, err := crdt.DecodeVisitCount(value)
	return fmt.Sprintf("%d visits, %d bounces%s", n.Visits, n.Bounces, errText(err))
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return " " + err.Error()
}

func (w *world) memory() string {
	var b strings.Builder
	m := w.op.memory
	for i := m.oldest; i >= 0; i = m.visits[i].next {
		v := &m.visits[i]
		fmt.Fprintf(&b, "from %s to %s", clockText(v.start), clockText(v.end))
		if !v.multi {
			b.WriteString(", one view")
		}
		fmt.Fprintf(&b, ", touched %s\n", clockText(v.touched))
	}
	entries, oldest := int64(w.op.memory.count), w.op.memory.oldestTime()
	fmt.Fprintf(&b, "%d visits", entries)
	if entries > 0 {
		fmt.Fprintf(&b, ", back to %s", clockText(oldest))
	}
	return b.String()
}

func arg(t *testing.T, d *datadriven.TestData, name string) string {
	t.Helper()
	var s string
	d.ScanArgs(t, name, &s)
	return s
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// clock reads 13:30, 13:30:05 or 13:30:05.001 as ms since 1970.
func clock(t *testing.T, s string) int64 {
	t.Helper()
	var h, m int64
	var sec float64
	if n, err := fmt.Sscanf(s+":0", "%d:%d:%f", &h, &m, &sec); n < 3 {
		t.Fatalf("time %q: %v", s, err)
	}
	return day + h*hourMS + m*60_000 + int64(sec*1000+0.5)
}

func clockText(ms int64) string {
	ms -= day
	s := fmt.Sprintf("%02d:%02d", ms/hourMS, ms/60_000%60)
	if rest := ms % 60_000; rest != 0 {
		s += fmt.Sprintf(":%06.3f", float64(rest)/1000)
	}
	return s
}

func hourText(h int32) string { return clockText(int64(h) * hourMS) }
