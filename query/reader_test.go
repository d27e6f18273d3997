package query_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"speedlayer/crdt"
	"speedlayer/query"
	"speedlayer/sim/batch"
	"speedlayer/store"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// torn is a store that is not atomic: each read shows the state of that moment. Between
// any two reads, including each cell of a scan, hook may change it.
type torn struct {
	pointer store.Pointer
	commits map[store.Shard]int64
	cells   map[tornKey]tornCell
	dropped map[uint32]bool
	hook    func(step string)
	fail    string      // the step that fails, once
	views   query.Views // of every run
	steps   []string
}

type tornKey struct {
	key   store.Key
	shard store.Shard
}

type tornCell struct {
	version int64
	value   []byte
}

var errTorn = errors.New("the region server is away")

func newTorn() *torn {
	return &torn{views: batch.NewViews(oracle.NewBatch().Base()), commits: map[store.Shard]int64{}, cells: map[tornKey]tornCell{}, dropped: map[uint32]bool{}, hook: func(string) {}}
}

func (s *torn) step(name string) error {
	s.steps = append(s.steps, name)
	s.hook(name)
	if s.fail == name {
		s.fail = ""
		return errTorn
	}
	return nil
}

func (s *torn) Read(context.Context) (store.Reader, error)     { return s, s.step("open") }
func (s *torn) Stats(context.Context) (store.Stats, error)     { return store.Stats{}, nil }
func (s *torn) Atomic() bool                                   { return false }
func (s *torn) Close() error                                   { return nil }
func (s *torn) Pointer(context.Context) (store.Pointer, error) { return s.pointer, s.step("pointer") }
func (s *torn) Epochs(context.Context) ([]store.Epoch, error)  { return nil, s.step("epochs") }
func (s *torn) Commits(context.Context) ([]store.ShardCommit, error) {
	var all []store.ShardCommit
	for sh, offset := range s.commits {
		all = append(all, store.ShardCommit{Shard: sh, Commit: store.Commit{Offset: offset, Record: (&store.CommitRecord{}).Append(nil)}})
	}
	return all, s.step("commits")
}

func (s *torn) Scan(_ context.Context, r store.Range, fn func(*store.ScanCell) error) error {
	if err := s.step("scan " + string(rune('0'+r.Generation))); err != nil {
		return err
	}
	if s.dropped[r.Generation] {
		return store.ErrDropped // a missing table is an error, never empty
	}
	var keys []tornKey
	for k := range s.cells {
		if r.HasURL([]byte(k.key.URL)) && k.key.Generation == r.Generation && k.key.View == r.View && k.key.Hour >= r.From && k.key.Hour < r.To {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b tornKey) int {
		return cmp.Or(a.key.Compare(b.key), a.shard.Compare(b.shard))
	})
	for _, k := range keys {
		c := s.cells[k]
		value := bytes.Clone(c.value)
		err := fn(&store.ScanCell{URL: []byte(k.key.URL), Hour: k.key.Hour, Shard: k.shard, Version: c.version, Value: value})
		for i := range value {
			value[i] = 0xff // valid during the call only
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *torn) put(generation uint32, partition int32, hour int32, version int64, count uint64) {
	s.cells[tornKey{store.Key{Generation: generation, View: view.PageviewsView, URL: "foo.com", Hour: hour}, store.Shard{Partition: partition}}] =
		tornCell{version, crdt.AppendCount(nil, count)}
}

func (s *torn) move(generations ...uint32) {
	s.pointer.Counter++
	s.pointer.Generations = generations
}

func (s *torn) engine() *query.Engine {
	return query.New(query.Config{Store: s, Edges: query.NewEdges(), Now: func() time.Time { return time.Unix(0, 0) },
		Batch: func(context.Context, store.Run) (query.Views, error) { return s.views, s.step("views") }})
}

func (s *torn) ask(t *testing.T) (*query.PageviewsAnswer, error) {
	t.Helper()
	return s.engine().Pageviews(t.Context(), query.URLQuery{URL: "foo.com", From: "1970-01-01", To: "1970-01-02"})
}

// TestOrder: pointer, commits, generations from the newest to the oldest,
// pointer again (design, cases 15 and 17 show what happens in other orders).
func TestOrder(t *testing.T) {
	s := newTorn()
	s.move(3, 1, 2) // in any order
	if _, err := s.ask(t); err != nil {
		t.Fatal(err)
	}
	want := []string{"open", "pointer", "commits", "scan 3", "scan 2", "scan 1", "pointer"}
	if !slices.Equal(s.steps, want) {
		t.Fatalf("read %q, want %q", s.steps, want)
	}
}

// TestMarkerUnderQuery: during the query, events 0 and 1 go to the old
// generation, then a marker, then event 2 to the new one. At whatever moment,
// the later event is never seen without the earlier ones, and everything
// committed before is included (design, cases 15 and 17).
func TestMarkerUnderQuery(t *testing.T) {
	log := []func(s *torn){
		func(s *torn) { s.put(0, 0, 1, 1, 1) },
		func(s *torn) { s.put(0, 0, 1, 2, 2) },
		func(s *torn) { s.commits[store.Shard{}] = 3 },
		func(s *torn) { s.put(1, 0, 1, 4, 1) },
		func(s *torn) { s.commits[store.Shard{}] = 4 },
	}
	// times[i] is the read before which event i of the log happens, in all combinations.
	var try func(times []int)
	tried := 0
	try = func(times []int) {
		if len(times) < len(log) {
			first := 0
			if len(times) > 0 {
				first = times[len(times)-1]
			}
			for at := first; at <= 6; at++ {
				try(append(slices.Clone(times), at))
			}
			return
		}
		tried++
		s := newTorn()
		s.move(0, 1)
		done, read := 0, 0
		s.hook = func(string) {
			for done < len(log) && times[done] <= read {
				log[done](s)
				done++
			}
			read++
		}
		a, err := s.ask(t)
		if err != nil {
			t.Fatal(err)
		}
		covered := int64(0)
		if len(a.Covered.Position) > 0 {
			covered = a.Covered.Position[0].Offset
		}
		atLeast := map[int64]uint64{0: 0, 3: 2, 4: 3}[covered]
		if a.Pageviews < atLeast || a.Pageviews > 3 {
			t.Fatalf("%v: %d pageviews, covered %d", times, a.Pageviews, covered)
		}
		if a.Covered.Settled && a.Pageviews != atLeast {
			t.Fatalf("%v: settled at %d with %d pageviews", times, covered, a.Pageviews)
		}
	}
	try(nil)
	if tried != 462 {
		t.Fatalf("tried %d ways", tried)
	}
}

// TestLaterWithoutEarlier counts each event by a power of two, so that the sum
// tells which were seen: always a prefix of the cell's events.
func TestLaterWithoutEarlier(t *testing.T) {
	for at := range 8 {
		for later := at; later < 8; later++ {
			s := newTorn()
			s.move(0, 1)
			read := 0
			s.hook = func(string) {
				if read == at {
					s.put(0, 0, 1, 1, 1)
				}
				if read == later {
					s.put(1, 0, 1, 3, 2)
				}
				read++
			}
			a, err := s.ask(t)
			if err != nil {
				t.Fatal(err)
			}
			if a.Pageviews == 2 {
				t.Fatalf("events at reads %d and %d: the later one is seen without the earlier", at, later)
			}
		}
	}
}

// TestDroppedUnderQuery: a batch run completes and the oldest generation is dropped,
// at every moment of the query. Whenever the answer would be short, the moved
// pointer is noticed (design, cases 17, 30, 38).
func TestDroppedUnderQuery(t *testing.T) {
	for at := range 8 {
		s := newTorn()
		s.move(0, 1, 2)
		for g := range uint32(3) {
			s.put(g, 0, 1, int64(g)+1, 1<<g)
		}
		s.commits[store.Shard{}] = 3
		read := 0
		s.hook = func(string) {
			if read++; read-1 == at {
				s.move(1, 2, 3)
				s.put(1, 0, 1, 2, 3) // what the batch views would bring
				s.dropped[0] = true
			}
		}
		a, err := s.ask(t)
		if err != nil {
			t.Fatalf("dropped before read %d: %v", at, err)
		}
		if a.Pageviews != 7 || !a.Covered.Settled {
			t.Fatalf("dropped before read %d: %+v", at, a)
		}
	}
}

// TestNeverEmpty checks that whichever read fails, the query fails and reports why.
func TestNeverEmpty(t *testing.T) {
	for _, step := range []string{"open", "pointer", "commits", "scan 1", "scan 0"} {
		s := newTorn()
		s.move(0, 1)
		s.put(0, 0, 1, 1, 1)
		s.fail = step
		if a, err := s.ask(t); !errors.Is(err, errTorn) {
			t.Errorf("%s failed: %+v, %v", step, a, err)
		}
		if query.IsBadRequest(errTorn) {
			t.Error("a failure is not a bad request")
		}
	}
	s := newTorn()
	s.move(0, 1)
	s.dropped[0] = true // gone, though the list still has it
	if a, err := s.ask(t); !errors.Is(err, store.ErrDropped) {
		t.Errorf("missing table: %+v, %v", a, err)
	}
}

// TestPointerAlwaysChanges checks that a query gives up rather than give half an answer.
func TestPointerAlwaysChanges(t *testing.T) {
	s := newTorn()
	n := uint32(0)
	s.hook = func(string) { n++; s.move(0, n) }
	if a, err := s.ask(t); err == nil {
		t.Fatalf("answered %+v", a)
	}
}

// TestHeartbeatOfARun: the owner of a run changes the counter all the time, which does not
// matter to a query.
func TestHeartbeatOfARun(t *testing.T) {
	s := newTorn()
	s.move(0)
	s.put(0, 0, 1, 1, 1)
	s.hook = func(string) { s.move(0) }
	if a, err := s.ask(t); err != nil || a.Pageviews != 1 {
		t.Fatalf("answered %+v, %v", a, err)
	}
}

// TestSettled: cells above the commit are counted, and the answer reports them.
func TestSettled(t *testing.T) {
	s := newTorn()
	s.move(0)
	s.put(0, 0, 1, 5, 3)
	s.put(0, 1, 2, 7, 1)
	s.commits[store.Shard{}], s.commits[store.Shard{Partition: 1}] = 5, 7
	if a, err := s.ask(t); err != nil || !a.Covered.Settled || a.Pageviews != 4 {
		t.Fatalf("%+v %v", a, err)
	}
	s.put(0, 1, 2, 8, 2)
	if a, err := s.ask(t); err != nil || a.Covered.Settled || a.Pageviews != 5 {
		t.Fatalf("%+v %v", a, err)
	}
	// The vector of a run covers as well.
	s.pointer.Current = &store.Run{Vector: []store.VectorEntry{{Partition: 1, Offset: 9}, {Epoch: 2, Offset: 4}}}
	a, err := s.ask(t)
	if err != nil || !a.Covered.Settled || len(a.Covered.Position) != 3 || a.Covered.Position[1].Offset != 9 || a.Covered.Position[2] != (query.Position{Epoch: 2, Offset: 4}) {
		t.Fatalf("%+v %v", a, err)
	}
}

// TestClamped: a bounce was taken back and its visit was dropped.
func TestClamped(t *testing.T) {
	s := newTorn()
	s.move(0)
	key := store.Key{View: view.BouncesView, URL: "foo.com", Hour: 3}
	s.cells[tornKey{key, store.Shard{}}] = tornCell{1, crdt.VisitCount{Visits: 1, Bounces: -1}.Append(nil)}
	a, err := s.engine().BounceRate(t.Context(), query.DomainQuery{Domain: "foo.com", From: "1970-01-01", To: "1970-01-02"})
	if err != nil || a.Visits != 1 || a.Bounces != 0 || a.Exact || len(a.Notes) != 1 {
		t.Fatalf("%+v %v", a, err)
	}
}

// TestCorrupt: bytes that cannot be a cell are an error, not a number.
func TestCorrupt(t *testing.T) {
	s := newTorn()
	s.move(0)
	s.cells[tornKey{store.Key{View: view.PageviewsView, URL: "foo.com", Hour: 3}, store.Shard{}}] = tornCell{1, nil}
	if a, err := s.ask(t); !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("%+v %v", a, err)
	}
}

// TestExportOfAChangedList checks that a part of an export is never taken for the whole.
func TestExportOfAChangedList(t *testing.T) {
	s := newTorn()
	s.move(0)
	s.put(0, 0, 1, 1, 1)
	n := 0
	err := s.engine().Export(t.Context(), query.ExportQuery{}, func(query.Cell) error { n++; s.move(0, 1); return nil })
	if err == nil || n != 1 {
		t.Fatalf("%d cells, %v", n, err)
	}
}
