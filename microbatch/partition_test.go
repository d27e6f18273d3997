package microbatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/view"
)

// ranges is a log with some of everything, and what processes it.
type ranges struct {
	t      *testing.T
	rng    *rand.Rand
	client *queue.Client
	other  *kgo.Client // writes what our clients would not
	topic  queue.TopicInfo
}

const rangePartitions = 2

func newRanges(t *testing.T, seed uint64) *ranges {
	client, addr := embeddedQueue(t, rangePartitions)
	w := &ranges{t: t, rng: rand.New(rand.NewPCG(seed, 0)), client: client}
	var err error
	if w.other, err = kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.other.Close)
	w.topic = w.look()
	return w
}

// embeddedQueue starts a broker with a topic of so many partitions, for one test.
func embeddedQueue(t *testing.T, partitions int32) (client *queue.Client, addr string) {
	t.Helper()
	broker, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	if client, err = queue.Dial(t.Context(), queue.Config{Brokers: []string{broker.Addr()}, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, broker.Addr()
}

func (w *ranges) look() queue.TopicInfo {
	w.t.Helper()
	info, err := w.client.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

// fill appends pageviews of few persons, pages and nonces, some in the wrong
// partition, some that break the rules, and markers of generation 1.
func (w *ranges) fill(n int) {
	w.t.Helper()
	now := time.Now().UnixMilli()
	var recs []*kgo.Record
	for i := range n {
		person := fmt.Append(nil, "p", w.rng.IntN(9))
		r := &kgo.Record{Topic: queue.TopicPageviews, Key: person, Partition: record.PartitionOf(person, rangePartitions)}
		r.Value = event.AppendJSON(nil, &event.Pageview{Nonce: fmt.Append(nil, w.rng.IntN(n)), HasNonce: true, Person: person,
			URL: fmt.Append(nil, "http://foo.com/", w.rng.IntN(4)), TS: now - w.rng.Int64N(5*3600_000)})
		switch {
		case i == n/2:
			for part := range int32(rangePartitions) {
				recs = append(recs, &kgo.Record{Topic: queue.TopicPageviews, Partition: part, Value: record.Marker{Generation: 1}.Append(nil),
					Headers: []kgo.RecordHeader{{Key: record.MarkerHeader}}})
			}
		case w.rng.IntN(10) == 0:
			r.Partition = 1 - r.Partition
		case w.rng.IntN(20) == 0:
			r.Value = []byte("{")
		}
		recs = append(recs, r)
	}
	if err := w.other.ProduceSync(w.t.Context(), recs...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// storeOf is a store with a log epoch and both generations.
func (w *ranges) storeOf() (store.Store, store.Epoch) {
	w.t.Helper()
	st := memStore(w.t)
	e, _, err := catalog.EnsureEpoch(w.t.Context(), st, w.topic, view.Defaults())
	if err == nil {
		err = st.CreateGeneration(w.t.Context(), 1)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return st, e
}

func (w *ranges) owner(st store.Store, e store.Epoch, part int32) *Partition {
	w.t.Helper()
	p, err := NewPartition(PartitionConfig{Store: st, Queue: w.client, Epoch: e, Partition: part, Topic: queue.TopicPageviews,
		Operator: func() Operator {
			return view.NewPageviews(view.Limits{Slots: 16, Deltas: store.Deltas(st), DeltaFrom: 2})
		},
		MaxBatch: 1 + w.rng.IntN(20), SnapshotEvery: time.Duration(w.rng.IntN(2)),
		Snapshotted: func(_ int64, err error) {
			if err != nil {
				w.t.Error(err)
			}
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *ranges) run(p *Partition, r Range) {
	w.t.Helper()
	if err := p.Run(w.t.Context(), r); err != nil {
		w.t.Fatalf("[%d, %d): %v", r.From, r.Until, err)
	}
}

// cells are all cells of a store, with their versions.
func cells(t *testing.T, st store.Store) map[string]string {
	t.Helper()
	r, err := st.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string]string{}
	for g := range uint32(2) {
		for _, v := range []store.ViewID{view.PageviewsView, view.UniquesView, view.BouncesView} {
			err := r.Scan(t.Context(), store.Range{Generation: g, View: v, Prefix: true, From: -1 << 31, To: 1<<31 - 1}, func(c *store.ScanCell) error {
				all[fmt.Sprintf("%d %d %s %d %v", g, v, c.URL, c.Hour, c.Shard)] = fmt.Sprintf("%d: %x", c.Version, c.Value)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// A scheduler that runs ranges twice, on two owners, in any order of old ones, and
// from whatever state each has in memory, makes the cells that one owner makes who
// runs the log once.
func TestRangesTwice(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newRanges(t, seed)
	w.fill(400)
	st, e := w.storeOf()
	owners := [rangePartitions][2]*Partition{}
	for part := range owners {
		for i := range owners[part] {
			owners[part][i] = w.owner(st, e, int32(part))
			defer owners[part][i].Close()
		}
	}
	var done [rangePartitions][]Range
	at := append([]int64(nil), e.Starts...)
	for round := 0; ; round++ {
		ends, more := w.look().Ends, false // what is rerouted makes the log longer
		for part := range owners {
			if at[part] == ends[part] {
				continue
			}
			more = true
			r := Range{From: at[part], Until: min(ends[part], at[part]+1+w.rng.Int64N(40))}
			at[part] = r.Until
			done[part] = append(done[part], r)
			for _, o := range w.rng.Perm(2)[:1+w.rng.IntN(2)] {
				w.run(owners[part][o], r)
			}
			if w.rng.IntN(3) == 0 { // one that was given up long ago
				w.run(owners[part][w.rng.IntN(2)], done[part][w.rng.IntN(len(done[part]))])
			}
			if w.rng.IntN(8) == 0 {
				owners[part][w.rng.IntN(2)].Close()
			}
		}
		if !more {
			break
		}
	}

	once, e := w.storeOf()
	for part := range int32(rangePartitions) {
		o := w.owner(once, e, part)
		defer o.Close()
		w.run(o, Range{From: e.Starts[part], Until: at[part]})
		if o.loads != 1 {
			t.Errorf("one range loaded the state %d times", o.loads)
		}
	}
	want, got := cells(t, once), cells(t, st)
	if len(want) < 50 {
		t.Fatalf("%d cells only", len(want))
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("cell %s is %q, want %q", k, got[k], v)
		}
		delete(got, k)
	}
	for k, v := range got {
		t.Errorf("cell %s is %q, there must be none", k, v)
	}
}

// State in memory is used for the range that begins where it stands, and for no
// other; what another owner has done already is not done again.
func TestStateInMemory(t *testing.T) {
	w := newRanges(t, 1)
	w.fill(100)
	st, e := w.storeOf()
	end := w.topic.Starts[0] + 30
	a, b := w.owner(st, e, 0), w.owner(st, e, 0)
	defer a.Close()
	defer b.Close()
	for i, step := range []struct {
		p           *Partition
		from, until int64
		loads       int
	}{
		{a, 0, 10, 1}, {a, 10, 20, 1}, // it goes on
		{b, 20, end, 1},                // another owner takes over
		{a, 10, 20, 1}, {a, 20, 25, 1}, // it stands there, whatever the other did
		{a, end, 40, 2}, // it does not stand there
		{a, 10, 20, 2},  // committed, as it knows: not even state is lost
		{a, 40, 45, 2},  // for that is of use here
		{b, 35, 40, 2},  // committed, by another owner
		{b, 45, 50, 3},  // and so b stands elsewhere
	} {
		w.run(step.p, Range{From: step.from, Until: step.until})
		if step.p.loads != step.loads {
			t.Fatalf("step %d: the state was loaded %d times, want %d", i, step.p.loads, step.loads)
		}
		c, _, err := st.Commit(t.Context(), store.Shard{})
		if err != nil || c.Offset < step.until {
			t.Fatalf("step %d: committed at %d (%v), the range ends at %d", i, c.Offset, err, step.until)
		}
	}
	if c, _, err := st.Commit(t.Context(), store.Shard{}); err != nil || c.Offset != 50 {
		t.Errorf("committed at %d (%v), the last range ends at 50", c.Offset, err)
	}
}

// A range that cannot be one of the partition's is refused, and so is one above the
// log's end, after a while.
func TestWrongRange(t *testing.T) {
	w := newRanges(t, 1)
	st, e := w.storeOf()
	p := w.owner(st, e, 1)
	defer p.Close()
	for _, r := range []Range{{Epoch: 1}, {From: -1}, {From: 2, Until: 1}} {
		if err := p.Run(t.Context(), r); !errors.Is(err, ErrRange) {
			t.Errorf("%+v: %v, want ErrRange", r, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ended, Range{Until: 10}); !errors.Is(err, context.Canceled) || p.Next() != -1 {
		t.Errorf("%v, and the state stands at %d: want nothing in memory after an error", err, p.Next())
	}
	if _, err := NewPartition(PartitionConfig{Epoch: e, Partition: rangePartitions}); err == nil {
		t.Error("partition 2 of 2 is taken")
	}
}
