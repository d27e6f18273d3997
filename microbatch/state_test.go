package microbatch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/view"
)

const hundredVisits = `{"visits_window_ms":14400000,"visits_entries":100,"exact_visitors":2048,"rules":1}`

// processor makes one of a shard, with no memory of the past; st may be nil
// where nothing is read or written.
func processor(t testing.TB, st store.Store) *Processor {
	t.Helper()
	s := view.Defaults()
	s.DedupeEntries, s.Operator = 100, hundredVisits
	cfg := Config{Store: st, Topic: "pageviews", Operator: view.NewPageviews(view.Limits{}),
		Epoch: store.Epoch{TopicID: "a", Partitions: 1, Starts: []int64{0}, Settings: s.String()}}
	if st == nil {
		p := &Processor{cfg: cfg}
		if err := p.start(0, store.CommitRecord{}, s); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p, err := Load(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// records are n pageviews with something of everything that state remembers.
func records(from, n int64) (recs []*kgo.Record) {
	for i := from; i < from+n; i++ {
		at := 1_700_000_000_000 + i*1000 - i%10/9*5000 // a clock that steps back
		r := &kgo.Record{Offset: i, Timestamp: time.UnixMilli(at)}
		r.Value = event.AppendJSON(nil, &event.Pageview{Nonce: fmt.Append(nil, i%7), HasNonce: true,
			Person: fmt.Append(nil, i%3), URL: []byte("http://foo.com/a"), TS: 1_700_000_000_000 + i*1000})
		switch i % 10 {
		case 3:
			r.Headers = []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: []byte(record.Source{Epoch: 1, Partition: int32(i % 4), Offset: i}.String())}}
		case 8:
			s := view.Defaults()
			s.DedupeWindow, s.DedupeEntries, s.Operator = i+1, 100, hundredVisits
			r.Value = record.Marker{Generation: uint32(i), Settings: &s}.Append(nil)
			r.Headers = []kgo.RecordHeader{{Key: record.MarkerHeader}}
		}
		recs = append(recs, r)
	}
	return recs
}

// openStore is a store with the generations that records begin.
func openStore(t testing.TB) store.Store {
	t.Helper()
	st := memStore(t)
	for g := range uint32(100) {
		if err := st.CreateGeneration(context.Background(), g); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

func state(t testing.TB, n int64) []byte {
	t.Helper()
	p := processor(t, openStore(t))
	if err := p.Process(context.Background(), records(0, n)); err != nil {
		t.Fatal(err)
	}
	return p.AppendState(nil)
}

// Law: the state is a function of the log. One that was saved and loaded in the
// middle ends with the same bytes as one that ran through.
func TestStateIsOfTheLog(t *testing.T) {
	ctx := context.Background()
	want := state(t, 60)
	for i, cut := range []int64{0, 1, 8, 9, 33, 59, 60, 60, 60, 60} {
		var st store.Store = openStore(t)
		if i%2 == 0 { // and in chunks that are many: read some at a time
			st = &chunked{Store: st, bytes: 7 + 10*i}
		}
		p := processor(t, st)
		if err := errors.Join(p.Process(ctx, records(0, cut)), p.Commit(ctx)); err != nil {
			t.Fatal(err)
		}
		if err := SaveSnapshot(ctx, st, store.Shard{}, p.Next(), p.AppendState(nil)); cut > 0 && err != nil {
			t.Fatal(err)
		}
		p = processor(t, st)
		if p.Next() != cut {
			t.Fatalf("begins at %d, the snapshot is of %d", p.Next(), cut)
		}
		if err := p.Process(ctx, records(cut, 60-cut)); err != nil {
			t.Fatal(err)
		}
		if got := p.AppendState(nil); !bytes.Equal(got, want) {
			t.Errorf("cut at %d: other state:\n%x, want\n%x", cut, got, want)
		}
	}
}

// chunked takes chunks of another length.
type chunked struct {
	store.Store
	bytes int
}

func (s *chunked) ChunkBytes() int { return s.bytes }

// A record below Next is state applied twice: refused, whatever it costs.
func TestProcessRejectsOldRecords(t *testing.T) {
	p := processor(t, openStore(t))
	ctx := context.Background()
	if err := p.Process(ctx, records(0, 5)); err != nil {
		t.Fatal(err)
	}
	if err := p.Process(ctx, records(4, 2)); err == nil {
		t.Error("a record was processed twice")
	}
}

// A chunk that is gone is a gap only if the row still names it; else the newer
// snapshot is loaded.
func TestLoadGap(t *testing.T) {
	ctx := context.Background()
	st := openStore(t)
	p := processor(t, st)
	if err := errors.Join(p.Process(ctx, records(0, 20)), p.Commit(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := SaveSnapshot(ctx, st, store.Shard{}, 10, []byte("of offset 10")); err != nil {
		t.Fatal(err)
	}
	gone := &goneChunk{Store: st}
	cfg := p.cfg
	cfg.Store = gone
	if _, err := Load(ctx, cfg); !errors.Is(err, ErrGap) || !errors.Is(err, store.ErrNoChunk) {
		t.Errorf("named without its chunk: %v, want ErrGap", err)
	}
	gone.then = func() error { return SaveSnapshot(ctx, st, store.Shard{}, p.Next(), p.AppendState(nil)) }
	again, err := Load(ctx, cfg)
	if err != nil {
		t.Fatalf("a newer snapshot was named meanwhile: %v", err)
	}
	if again.Next() != 20 {
		t.Errorf("begins at %d, want the newer snapshot's 20", again.Next())
	}
}

// goneChunk has lost the chunks of offset 10; then happens when one is asked for.
type goneChunk struct {
	store.Store
	then func() error
}

func (s *goneChunk) Chunk(ctx context.Context, sh store.Shard, offset int64, i int, dst []byte) ([]byte, error) {
	if offset != 10 {
		return s.Store.Chunk(ctx, sh, offset, i, dst)
	}
	if s.then != nil {
		if err := s.then(); err != nil {
			return nil, err
		}
	}
	return nil, store.ErrNoChunk
}

// Whatever bytes it is given, loadState refuses them or becomes a state that is
// written as it was read, and works.
func FuzzLoadState(f *testing.F) {
	for _, n := range []int64{0, 1, 30} {
		b := state(f, n)
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(slices.Clone(b), 0))
	}
	f.Add([]byte{stateVersion})
	huge := append([]byte{stateVersion}, make([]byte, 8)...)
	f.Add(binary.LittleEndian.AppendUint32(huge, 1<<32-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := processor(t, nil)
		if p.loadState(b) != nil {
			return
		}
		// Not b itself: what JSON and varints say may be said in longer ways.
		first := p.AppendState(nil)
		q := processor(t, nil)
		if err := q.loadState(first); err != nil {
			t.Fatalf("%x is taken, its own state is not: %v", b, err)
		}
		if second := q.AppendState(nil); !bytes.Equal(first, second) {
			t.Fatalf("%x comes back as %x", first, second)
		}
	})
}
