package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"speedlayer/store"
)

// Harness makes stores for the suite.
type Harness struct {
	// Open returns an empty store; the suite closes it.
	Open func(t *testing.T) store.Store
	// Reopen closes a store and opens it again. Nil if it cannot.
	Reopen func(t *testing.T, s store.Store) store.Store
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, test := range []struct {
		law string
		run func(*suite)
	}{
		{"1 the highest version stays", (*suite).versions},
		{"2 a commit row stands for its cells", (*suite).commitStandsForCells},
		{"3 no step back", (*suite).noStepBack},
		{"4 one snapshot per name", (*suite).snapshots},
		{"5 compare and set", (*suite).compareAndSet},
		{"5 compare and set of a named row", (*suite).rows},
		{"6 a generation is dropped whole", (*suite).generations},
		{"7 an error is never an empty answer", (*suite).errors},
		{"scans are in order and in bounds", (*suite).scans},
		{"a reader of an atomic store is one moment", (*suite).readers},
		{"a delta is merged with what is there", (*suite).deltas},
		{"an addition is added once", (*suite).additions},
		{"many owners of many shards", (*suite).concurrent},
		{"8 what was acknowledged is there when opened again", (*suite).reopen},
	} {
		t.Run(test.law, func(t *testing.T) {
			s := &suite{T: t, h: h, ctx: t.Context(), st: h.Open(t)}
			defer func() {
				if err := s.st.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			s.must(s.st.CreateGeneration(s.ctx, 0))
			test.run(s)
		})
	}
}

type suite struct {
	*testing.T
	h   Harness
	ctx context.Context
	st  store.Store
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) mustBe(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("error is %v, want %v", err, want)
	}
}

var shard0 = store.Shard{Epoch: 0, Partition: 3}

func key(url string, hour int32) store.Key { return store.Key{View: 1, URL: url, Hour: hour} }

func cell(url string, hour int32, version int64, value string) store.Cell {
	return store.Cell{Key: key(url, hour), Version: version, Value: []byte(value)}
}

func batch(sh store.Shard, end int64, cells ...store.Cell) *store.Batch {
	return &store.Batch{Shard: sh, Cells: cells, Commit: store.Commit{Offset: end, Record: fmt.Appendf(nil, "record %d", end)}}
}

func (s *suite) apply(b *store.Batch) {
	s.Helper()
	s.must(s.st.Apply(s.ctx, b))
}

// want checks a cell by point lookup and by scan.
func (s *suite) want(sh store.Shard, url string, hour int32, version int64, value string) {
	s.Helper()
	found := false
	s.must(s.st.Cells(s.ctx, sh, []store.Key{key("no such url", 0), key(url, hour)}, func(i int, v int64, b []byte) error {
		if i != 1 {
			s.Errorf("lookup found a cell that was never put")
		} else if found = true; v != version || string(b) != value {
			s.Errorf("lookup of %s: %q at version %d, want %q at %d", url, b, v, value, version)
		}
		return nil
	}))
	if !found {
		s.Errorf("lookup does not find %s", url)
	}
	r, err := s.st.Read(s.ctx)
	s.must(err)
	defer r.Close()
	found = false
	s.must(r.Scan(s.ctx, store.Range{View: 1, URL: url, From: hour, To: hour + 1}, func(c *store.ScanCell) error {
		if c.Shard == sh {
			found = true
			if c.Version != version || string(c.Value) != value || string(c.URL) != url || c.Hour != hour {
				s.Errorf("scan of %s: %+v, want %q at %d", url, c, value, version)
			}
		}
		return nil
	}))
	if !found {
		s.Errorf("scan does not find %s", url)
	}
}

func (s *suite) wantCommit(sh store.Shard, offset int64) {
	s.Helper()
	c, found, err := s.st.Commit(s.ctx, sh)
	s.must(err)
	if !found || c.Offset != offset || string(c.Record) != fmt.Sprintf("record %d", offset) {
		s.Errorf("commit of %v is %d %q (found %v), want %d", sh, c.Offset, c.Record, found, offset)
	}
}

func (s *suite) versions() {
	s.apply(batch(shard0, 3, cell("a/", 1, 2, "at 2"), cell("b/", 1, 3, "at 3")))
	s.apply(batch(shard0, 9, cell("a/", 1, 9, "at 9")))
	// A zombie that began at 3 and arrives late with [3,5).
	s.apply(batch(shard0, 5, cell("a/", 1, 5, "at 5")))
	s.want(shard0, "a/", 1, 9, "at 9")
	s.want(shard0, "b/", 1, 3, "at 3")
	// The same name in another shard is another cell.
	other := store.Shard{Epoch: 1, Partition: 3}
	s.apply(batch(other, 1, cell("a/", 1, 1, "other")))
	s.want(shard0, "a/", 1, 9, "at 9")
	s.want(other, "a/", 1, 1, "other")
	// Bytes are bytes: a count of 3 begins like a delta and is not one.
	for i := range 256 {
		s.apply(batch(other, int64(i+2), cell("c/", 1, int64(i+2), string([]byte{byte(i)}))))
		s.want(other, "c/", 1, int64(i+2), string([]byte{byte(i)}))
	}
}

func (s *suite) commitStandsForCells() {
	if _, found, err := s.st.Commit(s.ctx, shard0); found || err != nil {
		s.Fatalf("a fresh store has a commit, %v", err)
	}
	var cells []store.Cell
	for i := range 500 {
		cells = append(cells, cell(fmt.Sprintf("u/%04d", i), int32(i%7), int64(i+1), fmt.Sprint("v", i)))
	}
	value := append([]byte(nil), cells[0].Value...)
	s.apply(batch(shard0, 500, cells...))
	copy(cells[0].Value, "xx") // belongs to the caller again
	s.wantCommit(shard0, 500)
	for i := range 500 {
		want := fmt.Sprint("v", i)
		if i == 0 {
			want = string(value)
		}
		s.want(shard0, fmt.Sprintf("u/%04d", i), int32(i%7), int64(i+1), want)
	}
	s.apply(batch(shard0, 700)) // a batch that changed nothing
	s.wantCommit(shard0, 700)
}

func (s *suite) noStepBack() {
	s.apply(batch(shard0, 10, cell("a/", 0, 10, "ten")))
	s.apply(batch(shard0, 7, cell("a/", 0, 7, "seven")))
	s.wantCommit(shard0, 10)
	s.apply(batch(shard0, 10, cell("a/", 0, 10, "ten")))
	s.wantCommit(shard0, 10)
	s.want(shard0, "a/", 0, 10, "ten")
}

func (s *suite) snapshots() {
	put := func(offset int64, chunks ...string) {
		s.Helper()
		for i, c := range chunks {
			s.must(s.st.PutChunk(s.ctx, shard0, offset, i, []byte(c)))
		}
	}
	wantName := func(offset int64, chunks ...string) {
		s.Helper()
		n, found, err := s.st.Snapshot(s.ctx, shard0)
		s.must(err)
		if !found || n.Offset != offset || n.Chunks != len(chunks) {
			s.Fatalf("snapshot is %+v (found %v), want %d in %d chunks", n, found, offset, len(chunks))
		}
		var all []byte
		for i := range chunks {
			all, err = s.st.Chunk(s.ctx, shard0, offset, i, all)
			s.must(err)
		}
		if want := bytes.Join(toBytes(chunks), nil); !bytes.Equal(all, want) {
			s.Fatalf("chunks are %q, want %q", all, want)
		}
	}
	if _, found, err := s.st.Snapshot(s.ctx, shard0); found || err != nil {
		s.Fatalf("a fresh store has a snapshot, %v", err)
	}
	s.apply(batch(shard0, 5))
	put(6, "too early")
	s.mustBe(s.st.NameSnapshot(s.ctx, shard0, store.SnapshotName{Offset: 6, Chunks: 1}), store.ErrAboveCommit)
	put(5, "one", "two")
	s.mustBe(s.st.NameSnapshot(s.ctx, shard0, store.SnapshotName{Offset: 5, Chunks: 3}), store.ErrNoChunk)
	s.must(s.st.NameSnapshot(s.ctx, shard0, store.SnapshotName{Offset: 5, Chunks: 2}))
	wantName(5, "one", "two")
	s.apply(batch(shard0, 9))
	put(8, "three")
	wantName(5, "one", "two") // not named yet: the old one is whole
	s.must(s.st.NameSnapshot(s.ctx, shard0, store.SnapshotName{Offset: 8, Chunks: 1}))
	wantName(8, "three")
	_, err := s.st.Chunk(s.ctx, shard0, 5, 0, nil)
	s.mustBe(err, store.ErrNoChunk)
	put(7, "late") // a zombie's chunk, below the name
	s.must(s.st.NameSnapshot(s.ctx, shard0, store.SnapshotName{Offset: 7, Chunks: 1}))
	wantName(8, "three")
	_, err = s.st.Chunk(s.ctx, store.Shard{Partition: 9}, 8, 0, nil)
	s.mustBe(err, store.ErrNoChunk)
}

func toBytes(texts []string) (b [][]byte) {
	for _, t := range texts {
		b = append(b, []byte(t))
	}
	return b
}

func (s *suite) compareAndSet() {
	p, err := s.st.Pointer(s.ctx)
	s.must(err)
	if p.Counter != 0 || p.Generations != nil {
		s.Fatalf("a fresh store has the pointer %+v", p)
	}
	var won, epochsWon atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				p, err := s.st.Pointer(s.ctx)
				if err != nil || p.Counter >= 40 {
					return
				}
				next := store.Pointer{Counter: p.Counter + 1, Next: p.Next + 1, Generations: []uint32{uint32(i)}}
				if err := s.st.SwapPointer(s.ctx, p.Counter, next); err == nil {
					won.Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					s.Errorf("SwapPointer: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			for n := range uint32(10) {
				err := s.st.AppendEpoch(s.ctx, store.Epoch{Number: n, TopicID: fmt.Sprint(i), Starts: []int64{1}})
				if err == nil {
					epochsWon.Add(1)
				} else if !errors.Is(err, store.ErrConflict) {
					s.Errorf("AppendEpoch: %v", err)
				}
			}
		})
	}
	wg.Wait()
	p, err = s.st.Pointer(s.ctx)
	s.must(err)
	if won.Load() != int64(p.Counter) || p.Next != uint32(p.Counter) {
		s.Errorf("%d swaps won, but the counter is %d and next is %d", won.Load(), p.Counter, p.Next)
	}
	all, err := s.st.Epochs(s.ctx)
	s.must(err)
	if int64(len(all)) != epochsWon.Load() {
		s.Errorf("%d appends of epochs won, there are %d", epochsWon.Load(), len(all))
	}
	for i, e := range all {
		if int(e.Number) != i {
			s.Errorf("epoch %d stands at %d", e.Number, i)
		}
	}
	s.mustBe(s.st.SwapPointer(s.ctx, p.Counter, store.Pointer{Counter: p.Counter + 2}), store.ErrConflict)
}

func (s *suite) generations() {
	in := func(g uint32, c store.Cell) store.Cell { c.Key.Generation = g; return c }
	s.mustBe(s.st.Apply(s.ctx, batch(shard0, 1, in(4, cell("a/", 0, 1, "x")))), store.ErrNoGeneration)
	if _, found, err := s.st.Commit(s.ctx, shard0); found || err != nil {
		s.Fatalf("the batch that failed left a commit, %v", err)
	}
	s.mustBe(s.st.Cells(s.ctx, shard0, []store.Key{{Generation: 4, View: 1, URL: "a/"}}, nil), store.ErrNoGeneration)
	s.must(s.st.CreateGeneration(s.ctx, 4))
	s.must(s.st.CreateGeneration(s.ctx, 4))
	s.apply(batch(shard0, 2, cell("a/", 0, 1, "old"), in(4, cell("a/", 0, 2, "new"))))
	s.must(s.st.DropGeneration(s.ctx, 0))
	s.must(s.st.DropGeneration(s.ctx, 0))
	s.mustBe(s.st.CreateGeneration(s.ctx, 0), store.ErrDropped)
	// The zombie's cells of it are left out; the rest of its batch counts.
	s.apply(batch(shard0, 3, cell("a/", 0, 3, "zombie"), in(4, cell("b/", 0, 3, "kept"))))
	s.wantCommit(shard0, 3)
	s.must(s.st.Cells(s.ctx, shard0, []store.Key{key("a/", 0)}, func(int, int64, []byte) error {
		s.Error("a cell of a dropped generation is found")
		return nil
	}))
	r, err := s.st.Read(s.ctx)
	s.must(err)
	defer r.Close()
	n := map[uint32]int{}
	for g := range uint32(6) {
		s.must(r.Scan(s.ctx, store.Range{Generation: g, View: 1, Prefix: true, To: 100}, func(*store.ScanCell) error { n[g]++; return nil }))
	}
	if n[0] != 0 || n[4] != 2 || len(n) != 1 {
		s.Errorf("cells by generation are %v, want 2 in generation 4", n)
	}
	s.must(s.st.DropGeneration(s.ctx, 9)) // uses up the number
	s.mustBe(s.st.CreateGeneration(s.ctx, 9), store.ErrDropped)
}

func (s *suite) errors() {
	s.apply(batch(shard0, 1, cell("a/", 0, 1, "x")))
	boom := errors.New("boom")
	s.mustBe(s.st.Cells(s.ctx, shard0, []store.Key{key("a/", 0)}, func(int, int64, []byte) error { return boom }), boom)
	r, err := s.st.Read(s.ctx)
	s.must(err)
	s.mustBe(r.Scan(s.ctx, store.Range{View: 1, Prefix: true, To: 9}, func(*store.ScanCell) error { return boom }), boom)
	s.must(r.Close())
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	if s.st.Apply(ended, batch(shard0, 2)) == nil {
		s.Error("Apply under an ended context says it is durable")
	}
}

func (s *suite) readers() {
	s.apply(batch(shard0, 1, cell("a/", 0, 1, "before")))
	r, err := s.st.Read(s.ctx)
	s.must(err)
	defer r.Close()
	if !r.Atomic() {
		s.Log("not an atomic store: nothing to hold")
		return
	}
	s.apply(batch(shard0, 2, cell("a/", 0, 2, "after")))
	s.must(s.st.SwapPointer(s.ctx, 0, store.Pointer{Counter: 1}))
	s.must(s.st.DropGeneration(s.ctx, 0))
	commits, err := r.Commits(s.ctx)
	s.must(err)
	if len(commits) != 1 || commits[0].Commit.Offset != 1 || commits[0].Shard != shard0 {
		s.Errorf("commits are %+v, want that of the moment", commits)
	}
	if p, err := r.Pointer(s.ctx); err != nil || p.Counter != 0 {
		s.Errorf("pointer is %+v, %v, want that of the moment", p, err)
	}
	n := 0
	s.must(r.Scan(s.ctx, store.Range{View: 1, Prefix: true, To: 9}, func(c *store.ScanCell) error {
		n++
		if string(c.Value) != "before" {
			s.Errorf("the cell is %q", c.Value)
		}
		return nil
	}))
	if n != 1 {
		s.Errorf("%d cells, want the one of the moment", n)
	}
}

// concurrent lets owners and zombies of several shards write the same log, split
// at different offsets, and compares the result with the log.
func (s *suite) concurrent() {
	const events, urls = 120, 7
	var wg sync.WaitGroup
	for p := range int32(3) {
		for owner := range 3 {
			wg.Go(func() {
				sh := store.Shard{Partition: p}
				size := 3 + 4*owner
				for begin := 0; begin < events; begin += size {
					end := min(begin+size, events)
					latest := map[int]int{}
					for i := begin; i < end; i++ {
						latest[i%urls] = i
					}
					var cells []store.Cell
					for u := range urls {
						if i, ok := latest[u]; ok {
							cells = append(cells, cell(fmt.Sprint("u/", u), 0, int64(i+1), fmt.Sprint(i)))
						}
					}
					if err := s.st.Apply(s.ctx, batch(sh, int64(end), cells...)); err != nil {
						s.Errorf("Apply: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	for p := range int32(3) {
		sh := store.Shard{Partition: p}
		s.wantCommit(sh, events)
		for u := range urls {
			last := events - 1 - (events-1-u)%urls
			s.want(sh, fmt.Sprint("u/", u), 0, int64(last+1), fmt.Sprint(last))
		}
	}
}

func (s *suite) reopen() {
	if s.h.Reopen == nil {
		s.Skip("this harness cannot open a store again")
	}
	s.apply(batch(shard0, 4, cell("a/", 0, 4, "x")))
	s.must(s.st.CreateGeneration(s.ctx, 2))
	s.must(s.st.DropGeneration(s.ctx, 1))
	s.must(s.st.PutChunk(s.ctx, shard0, 4, 0, []byte("state")))
	s.must(s.st.NameSnapshot(s.ctx, shard0, store.SnapshotName{Offset: 4, Chunks: 1}))
	s.must(s.st.AppendEpoch(s.ctx, store.Epoch{Number: 0, TopicID: "t", Partitions: 1, Starts: []int64{0}}))
	s.must(s.st.SwapPointer(s.ctx, 0, store.Pointer{Counter: 1, Next: 3, Generations: []uint32{0, 2}, Current: &store.Run{Number: 2}}))
	s.st = s.h.Reopen(s.T, s.st)
	s.want(shard0, "a/", 0, 4, "x")
	s.wantCommit(shard0, 4)
	s.mustBe(s.st.CreateGeneration(s.ctx, 1), store.ErrDropped)
	s.apply(batch(shard0, 3, cell("a/", 0, 3, "zombie")))
	s.want(shard0, "a/", 0, 4, "x")
	if b, err := s.st.Chunk(s.ctx, shard0, 4, 0, nil); string(b) != "state" || err != nil {
		s.Errorf("chunk is %q, %v", b, err)
	}
	p, err := s.st.Pointer(s.ctx)
	s.must(err)
	if p.Counter != 1 || p.Next != 3 || len(p.Generations) != 2 || p.Current == nil || p.Current.Number != 2 {
		s.Errorf("pointer is %+v", p)
	}
	e, err := s.st.Epochs(s.ctx)
	s.must(err)
	if len(e) != 1 || e[0].TopicID != "t" {
		s.Errorf("epochs are %+v", e)
	}
}
