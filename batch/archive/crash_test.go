package archive_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch/archive"
	"speedlayer/event"
	"speedlayer/internal/objects"
	"speedlayer/record"
	"speedlayer/store"
)

var (
	crashSeed   = flag.Uint64("seed", 1, "of the first world")
	crashWorlds = flag.Int("worlds", 3, "worlds in which every step has every fault")
)

// world is the life of an archive: rounds of records, each followed by the work of an
// archiver. The last round has a fault.
type world struct {
	t      testing.TB
	r      *rand.Rand
	log    *fakeLog
	at     int64 // of the log's clock, ms
	base   *memory
	holder *archive.Snapshot // a reader that was opened early
	held   map[store.Shard]int64

	seen      map[string]bool // files that were compared with the log
	temp      string
	archivers []*archive.Archiver // all archivers that were made
}

const worldPartitions = 2

func newWorld(t testing.TB, seed uint64, temp string) *world {
	return &world{t: t, temp: temp, seen: map[string]bool{}, r: rand.New(rand.NewPCG(seed, 7)), log: newLog(worldPartitions), base: newMemory()}
}

// records appends some records of all kinds, over days.
func (w *world) records(n int) {
	for range n {
		p := int32(w.r.IntN(worldPartitions))
		me := personOf(p, worldPartitions, w.r.IntN(5))
		w.at += int64(w.r.IntN(2 * 3600 * 1000))
		at := w.at - int64(w.r.IntN(3*3600*1000)) // sometimes log time does not advance
		switch w.r.IntN(8) {
		case 0:
			value, header := marker(w.r.Uint32N(9))
			w.log.add(p, at, nil, value, header)
		case 1:
			pv := event.Pageview{Nonce: fmt.Appendf(nil, "m%d", at), HasNonce: true, Person: []byte(me), URL: []byte("http://foo.com"), TS: day0}
			w.log.add(p, at, []byte(me), event.AppendJSON(nil, &pv), kgo.RecordHeader{Key: record.ReroutedHeader, Value: fmt.Appendf(nil, "0/1/%d", w.r.IntN(99))})
		case 2:
			w.log.add(p, at, nil, []byte("no record"))
		case 3:
			w.log.view(p, at, personOf(1-p, worldPartitions, 1), "https://foo.com/elsewhere")
		case 4:
			w.log.edge(fmt.Sprintf(`{"id1":"a","id2":"b%d"}`, w.r.IntN(9)))
		default:
			w.log.view(p, at, me, fmt.Sprintf("https://foo.com/%d", w.r.IntN(9)))
		}
	}
	w.log.commit()
}

func (w *world) archiver(o objects.Store) *archive.Archiver {
	a, err := archive.NewArchiver(archive.Config{Objects: o, Source: w.log, Commits: w.log, TempDir: w.temp, FileRows: 20, CompactRows: 60})
	if err != nil {
		w.t.Fatal(err)
	}
	w.archivers = append(w.archivers, a)
	return a
}

func (w *world) close() {
	for _, a := range w.archivers {
		if err := a.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// work is one turn of an archiver.
func (w *world) work(a *archive.Archiver) error {
	if _, err := a.Archive(w.t.Context()); err != nil {
		return err
	}
	_, err := a.Compact(w.t.Context())
	return err
}

// hold opens a reader, which later continues to read what was archived by now.
func (w *world) hold() {
	s, err := archive.New(w.base).Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.holder, w.held = s, map[store.Shard]int64{}
	for i := range s.Shards {
		w.held[s.Shards[i].Shard()] = s.Shards[i].End
	}
}

// check compares the archive with everything that it promises. With whole, it must
// also be complete.
func (w *world) check(whole bool) error {
	s, err := archive.New(w.base).Snapshot(w.t.Context())
	if err != nil {
		return err
	}
	if whole {
		if err := s.Covers(w.log.vector()); err != nil {
			return err
		}
	}
	for i := range s.Shards {
		l := &s.Shards[i]
		if err := s.Covers([]store.VectorEntry{{Epoch: l.Epoch, Partition: l.Partition, Offset: l.End}}); err != nil {
			return err
		}
		for _, f := range l.Files {
			if w.seen[f.Name] {
				if w.base.files[f.Name] == nil {
					return fmt.Errorf("manifest %d: %s is gone", s.Number, f.Name)
				}
				continue // nothing can change it
			}
			if err := w.same(s, l.Shard(), f.From, f.To); err != nil {
				return fmt.Errorf("manifest %d: %w", s.Number, err)
			}
			w.seen[f.Name] = true
		}
	}
	edges := int64(0)
	if err := s.Edges(w.t.Context(), s.EdgeEnd(), func(at archive.EdgePosition, _ event.Edge) error {
		if at.Offset != edges {
			return fmt.Errorf("edge %d where %d was due", at.Offset, edges)
		}
		edges++
		return nil
	}); err != nil {
		return err
	}
	if edges != s.EdgeEnd().Offset {
		return fmt.Errorf("%d edges of %d", edges, s.EdgeEnd().Offset)
	}
	return w.keptWhole(s.Number)
}

// keptWhole checks that every kept manifest names only files that exist.
func (w *world) keptWhole(newest uint64) error {
	for name, text := range w.base.files {
		if !strings.HasPrefix(name, "manifest/") {
			continue
		}
		var m archive.Manifest
		if err := json.Unmarshal(text, &m); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if m.Number+archive.KeepManifests <= newest {
			continue
		}
		for file := range archive.Names(&m) {
			if w.base.files[file] == nil {
				return fmt.Errorf("manifest %d is kept, but not its file %s", m.Number, file)
			}
		}
	}
	return nil
}

// checkHeld checks that a reader opened early can still read, whatever was merged since.
func (w *world) checkHeld() error {
	for shard, end := range w.held {
		if err := w.same(w.holder, shard, 0, end); err != nil {
			return fmt.Errorf("a reader that began before: %w", err)
		}
	}
	return nil
}

// same compares a shard's rows with the log.
func (w *world) same(s *archive.Snapshot, shard store.Shard, from, to int64) error {
	w.log.mu.Lock()
	recs := w.log.mu.records[shard.Partition]
	w.log.mu.Unlock()
	next := from
	err := s.Rows(w.t.Context(), shard, from, to, func(r *archive.Row) error {
		if r.Offset != next {
			return fmt.Errorf("%v: row %d where %d was due", shard, r.Offset, next)
		}
		next++
		if r.LogTime != logTime(recs[:next]) {
			return fmt.Errorf("%v: row %d has log time %d, not the highest so far", shard, r.Offset, r.LogTime)
		}
		have, err := r.Record()
		if err != nil {
			return err
		}
		return sameRecord(have, recs[r.Offset])
	})
	if err == nil && next != to {
		err = fmt.Errorf("%v: rows end at %d, not %d", shard, next, to)
	}
	return err
}

// logTime returns the highest timestamp of some records.
func logTime(recs []*kgo.Record) (highest int64) {
	for _, r := range recs {
		highest = max(highest, r.Timestamp.UnixMilli())
	}
	return highest
}

// unreferenced returns data files that no manifest names or retires.
func (w *world) unreferenced() (all []string) {
	s, err := archive.New(w.base).Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	named := archive.Names(s.Manifest)
	for _, r := range s.Retired {
		named[r.Name] = true
	}
	for name := range w.base.files {
		if !strings.HasPrefix(name, "manifest/") && !named[name] {
			all = append(all, name)
		}
	}
	return all
}

// prepare returns a world just before the turn that is to have a fault.
func prepare(t testing.TB, temp string, seed uint64) *world {
	w := newWorld(t, seed, temp)
	defer w.close()
	a := w.archiver(w.base)
	for round := range 12 {
		w.records(1 + w.r.IntN(40))
		if err := w.work(a); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if round == 3+int(seed%8) {
			w.hold()
		}
	}
	w.records(30)
	if err := w.check(false); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return w
}

// fork returns an independent world that continues from here.
func (w *world) fork(seed uint64) *world {
	f := newWorld(w.t, seed, w.temp)
	f.at, f.held, f.seen = w.at, w.held, maps.Clone(w.seen)
	f.base.files = maps.Clone(w.base.files)
	f.holder = archive.NewSnapshot(w.holder.Manifest, f.base)
	f.log.mu.commits = maps.Clone(w.log.mu.commits)
	for p := range f.log.mu.records {
		f.log.mu.records[p] = slices.Clip(w.log.mu.records[p])
	}
	f.log.mu.edges = slices.Clip(w.log.mu.edges)
	return f
}

// live gives the next turn of a world a fault at a step. It returns how many steps
// that turn had.
func live(w *world, at int, what fault, others int) (steps int, fired string, err error) {
	defer w.close()
	f := &faulty{Store: w.base, at: at, what: what}
	var during error
	f.do = func() {
		other := w.archiver(w.base)
		for range others {
			w.records(3)
			if err := w.work(other); err != nil {
				during = fmt.Errorf("the other archiver: %w", err)
				return
			}
		}
		if err := w.check(true); err != nil {
			during = fmt.Errorf("after the other archiver: %w", err)
		}
	}
	sick := w.archiver(f)
	turn := w.work(sick)
	if during != nil {
		return f.steps, f.fired, during
	}
	if what == meanwhile && strings.HasPrefix(f.fired, "create manifest/") && turn == nil {
		return f.steps, f.fired, errors.New("two archivers made the same switch")
	}
	if err := w.check(false); err != nil {
		return f.steps, f.fired, fmt.Errorf("at once: %w", err)
	}
	steps, f.at = f.steps, -1
	// It continues if it lives; otherwise another archiver starts.
	w.records(10)
	if f.dead {
		sick = w.archiver(w.base)
	}
	var last error
	for range 3 { // it may find that another archiver took over
		if last = w.work(sick); last == nil {
			break
		}
	}
	if last != nil {
		return steps, f.fired, fmt.Errorf("going on: %w", last)
	}
	if err := w.check(true); err != nil {
		return steps, f.fired, fmt.Errorf("afterwards: %w", err)
	}
	// The next archiver removes what is left.
	w.records(1)
	if err := w.work(w.archiver(w.base)); err != nil {
		return steps, f.fired, err
	}
	if left := w.unreferenced(); len(left) > 0 {
		return steps, f.fired, fmt.Errorf("left over: %v", left)
	}
	return steps, f.fired, errors.Join(w.check(true), w.checkHeld())
}

// Every step of an archiver's turn, including compaction and cleaning, has every
// fault: crashes before and after it, true and false errors, and another archiver that
// takes over at that moment, for one turn, or for so many that old manifests are gone.
func TestEveryStepFails(t *testing.T) {
	var tally tally
	t.Run("worlds", func(t *testing.T) {
		for seed := *crashSeed; seed < *crashSeed+uint64(*crashWorlds); seed++ {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				everyStep(t, seed, &tally)
			})
		}
	})
	for what := range faults {
		for _, kind := range []string{"create", "open", "list", "delete"} {
			if !t.Failed() && tally.fired[what.String()+": "+kind] == 0 {
				t.Errorf("no %s of a %s", what, kind)
			}
		}
	}
	if tally.points < 500 && *crashWorlds >= 3 && !t.Failed() {
		t.Errorf("%d points: want 500 at least", tally.points)
	}
	t.Logf("%d points in %d worlds from seed %d on: %v", tally.points, *crashWorlds, *crashSeed, tally.fired)
}

// tally counts the faults that fired.
type tally struct {
	mu     sync.Mutex
	points int
	fired  map[string]int // by fault and kind of step
}

func (y *tally) add(what fault, step string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.fired == nil {
		y.fired = map[string]int{}
	}
	kind, _, _ := strings.Cut(step, " ")
	y.points++
	y.fired[what.String()+": "+kind]++
}

// everyStep gives each step of the next turn of one world each fault.
func everyStep(t *testing.T, seed uint64, tally *tally) {
	before := prepare(t, t.TempDir(), seed)
	for _, c := range []struct {
		what   fault
		others int // turns of the other archiver
	}{{crashBefore, 0}, {crashAfter, 0}, {failBefore, 0}, {failAfter, 0}, {meanwhile, 1}, {meanwhile, 20}} {
		for at := 0; ; at++ {
			steps, step, err := live(before.fork(seed), at, c.what, c.others)
			if err != nil {
				t.Fatalf("step %d (%s): %v (%d): %v\nagain: go test ./batch/archive -run TestEveryStepFails -worlds 1 -seed %d", at, step, c.what, c.others, err, seed)
			}
			if step == "" {
				if steps > at {
					t.Fatalf("step %d did not fire", at)
				}
				break
			}
			tally.add(c.what, step)
		}
	}
}

// An archiver that sleeps before it creates its manifest, until others have used its
// number and removed it with the old manifests, has lost the switch nevertheless.
func TestSleeperLoses(t *testing.T) {
	before := prepare(t, t.TempDir(), *crashSeed)
	w := before.fork(1)
	defer w.close()
	f := &faulty{Store: w.base, at: -1}
	if err := w.work(w.archiver(f)); err != nil {
		t.Fatal(err)
	}
	slept := 0
	for at, name := range f.names {
		if !strings.HasPrefix(name, "create manifest/") {
			continue
		}
		slept++
		if _, step, err := live(before.fork(1), at, meanwhile, 20); err != nil || step != name {
			t.Errorf("step %d (%s): %v", at, step, err)
		}
	}
	if slept < 2 {
		t.Errorf("it slept %d times", slept)
	}
}
