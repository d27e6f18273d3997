package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/record"
	"speedlayer/spark/worker"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/verify"
	"speedlayer/view"
)

// plannedWorld is a log and a store that executors share.
type plannedWorld struct {
	t      *testing.T
	rng    *rand.Rand
	broker *embedded.Broker
	client *queue.Client
	other  *kgo.Client // writes what our clients would not
	store  store.Store
}

// kept is a store that outlives those who close it.
type kept struct{ store.Store }

func (kept) Close() error { return nil }

const plannedPartitions = 3

func newPlannedWorld(t *testing.T) *plannedWorld {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &plannedWorld{t: t, rng: rand.New(rand.NewPCG(seed, 0))}
	var err error
	if w.broker, err = embedded.Start(embedded.Config{Dir: t.TempDir(), Trusted: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.broker.Close() })
	if w.client, err = queue.Dial(t.Context(), queue.Config{Brokers: []string{w.broker.Addr()}, Partitions: plannedPartitions}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if w.other, err = kgo.NewClient(kgo.SeedBrokers(w.broker.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.other.Close)
	w.store = w.newStore()
	return w
}

func (w *plannedWorld) newStore() store.Store {
	w.t.Helper()
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = st.Close() })
	return st
}

// executor is a worker's engine on the store.
func (w *plannedWorld) executor(st store.Store) *Planned {
	p := NewPlanned(Config{Kafka: queue.Config{Brokers: []string{w.broker.Addr()}}, Partitions: plannedPartitions, StoreName: "test",
		OpenStore: func(context.Context) (store.Store, error) { return kept{st}, nil }, SnapshotEvery: 1}, nil)
	w.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return p
}

// fill appends pageviews: some twice, some in the wrong partition, some broken.
func (w *plannedWorld) fill(n int) {
	w.t.Helper()
	var recs []*kgo.Record
	for range n {
		person := fmt.Append(nil, "p", w.rng.IntN(20))
		r := &kgo.Record{Topic: queue.TopicPageviews, Key: person, Partition: record.PartitionOf(person, plannedPartitions)}
		r.Value = event.AppendJSON(nil, &event.Pageview{Nonce: fmt.Append(nil, w.rng.IntN(2*n)), HasNonce: true, Person: person,
			URL: fmt.Append(nil, "http://foo.com/", w.rng.IntN(4)), TS: 1767607200_000 + w.rng.Int64N(5*3600_000)})
		switch w.rng.IntN(20) {
		case 0:
			r.Partition = (r.Partition + 1) % plannedPartitions
		case 1:
			r.Value = []byte("{")
		}
		recs = append(recs, r)
	}
	if err := w.other.ProduceSync(w.t.Context(), recs...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// driver plans as the source in Java does.
type driver struct {
	epoch   uint32
	offsets []int64
}

// step plans one micro-batch and has each range run, by one executor or by two, one
// after the other, and now and then an old one again. It reports whether there was
// anything to do.
func (w *plannedWorld) step(d *driver, most int64, executors []*Planned, old *[]worker.Range) bool {
	w.t.Helper()
	ctx := w.t.Context()
	plan, err := executors[0].Plan(ctx, worker.Standing{})
	if err != nil {
		w.t.Fatal(err)
	}
	if d.offsets == nil || d.epoch != plan.Epoch {
		d.epoch, d.offsets = plan.Epoch, append([]int64(nil), plan.Starts...)
	}
	worked := false
	for part, end := range plan.Ends {
		r := worker.Range{Epoch: plan.Epoch, Partition: int32(part), From: d.offsets[part], Until: min(end, d.offsets[part]+1+w.rng.Int64N(most))}
		if r.From >= end {
			continue
		}
		worked = true
		for _, i := range w.rng.Perm(len(executors))[:1+w.rng.IntN(len(executors))] {
			if _, err := executors[i].Run(ctx, r, func() {}); err != nil {
				w.t.Fatalf("%+v: %v", r, err)
			}
		}
		d.offsets[part] = r.Until
		*old = append(*old, r)
		if zombie := (*old)[w.rng.IntN(len(*old))]; w.rng.IntN(3) == 0 {
			_, err := executors[w.rng.IntN(len(executors))].Run(ctx, zombie, func() {})
			if ended := new(worker.EndedError); err != nil && !errors.As(err, &ended) {
				w.t.Fatalf("%+v once more: %v", zombie, err)
			}
		}
	}
	return worked
}

// verified compares all cells with the log.
func (w *plannedWorld) verified() *verify.Report {
	w.t.Helper()
	r, err := verify.Run(w.t.Context(), verify.Config{Cells: verify.FromStore(w.store), Log: w.client})
	if err != nil {
		w.t.Fatal(err)
	}
	if !r.OK() || r.Behind != 0 || r.Shards == 0 {
		w.t.Fatalf("verify: %v", r)
	}
	return r
}

// Ranges that Spark runs twice, elsewhere, or much later make the cells that the log
// stands for: with duplicates, rejected and rerouted records, and a generation that
// begins in the middle. An executor that is new goes on where the store stands.
func TestPlanned(t *testing.T) {
	w := newPlannedWorld(t)
	executors := []*Planned{w.executor(w.store), w.executor(w.store)}
	var d driver
	var old []worker.Range
	for round := range 4 {
		w.fill(150)
		if round == 1 {
			s := view.Defaults()
			s.DedupeEntries--
			if _, _, err := catalog.EnsureSettings(t.Context(), w.store, w.client, plannedPartitions, s); err != nil {
				t.Fatal(err)
			}
		}
		for w.step(&d, 40, executors, &old) { //nolint:revive // all work is in the step
		}
		executors[round%2] = w.executor(w.store)
	}
	if r := w.verified(); r.Pageviews < 300 || r.Duplicates == 0 || r.Rejected == 0 || r.Rerouted == 0 {
		t.Errorf("the log has not some of everything: %v", r)
	}
	// A query without a checkpoint begins where the store's commits stand.
	c, err := executors[0].Commits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c.Offsets) != fmt.Sprint(d.offsets) {
		t.Errorf("committed at %v, the query stands at %v", c.Offsets, d.offsets)
	}
}

// A topic that is made again begins a log epoch. Ranges of the one before are told
// that it has ended, and the next plan has the new one's.
func TestPlannedEpochs(t *testing.T) {
	w := newPlannedWorld(t)
	executors := []*Planned{w.executor(w.store), w.executor(w.store)}
	var d driver
	var old []worker.Range
	w.fill(60)
	for w.step(&d, 40, executors, &old) { //nolint:revive // all work is in the step
	}
	before := w.verified().Pageviews
	if err := w.client.DeleteTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.client.MakeTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.other.PurgeTopicsFromClient(queue.TopicPageviews)
	w.fill(60)
	for _, p := range executors {
		p.forget() // as after five seconds
	}
	for w.step(&d, 40, executors, &old) { //nolint:revive // all work is in the step
	}
	epochs, err := w.store.Epochs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// An executor may find that the log is shorter than its commits before the topic
	// shows its new id. It then closes the log epoch first, with one in which nobody works.
	newest := epochs[len(epochs)-1]
	if n := len(epochs); newest.TopicID == epochs[0].TopicID || newest.Closing() || n != 2 && (n != 3 || !epochs[1].Closing()) {
		t.Errorf("log epochs %+v: want one for each topic, and between them at most one in which nobody works", epochs)
	}
	if d.epoch != newest.Number {
		t.Errorf("the query stands in log epoch %d, want %d", d.epoch, newest.Number)
	}
	for _, p := range executors {
		_, err := p.Run(t.Context(), old[0], func() {})
		if ended := new(worker.EndedError); !errors.As(err, &ended) || ended.Newest != newest.Number {
			t.Errorf("a range of log epoch 0: %v, want that it has ended", err)
		}
	}
	if before == 0 {
		t.Error("nothing was counted before")
	}
}

// A checkpoint of another topic or store is refused, in words that say what to
// change; so is what cannot be a range. What a retry may mend is not fatal.
func TestPlannedRejects(t *testing.T) {
	w := newPlannedWorld(t)
	w.fill(10)
	p := w.executor(w.store)
	ctx := t.Context()
	plan, err := p.Plan(ctx, worker.Standing{})
	if err != nil {
		t.Fatal(err)
	}
	id, fingerprint, err := p.Identity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Plan(ctx, worker.Standing{Store: id, Topic: plan.Topic}); err != nil {
		t.Errorf("its own checkpoint: %v", err)
	}
	for _, c := range []struct {
		at   worker.Standing
		says string
	}{
		{worker.Standing{Store: strings.Repeat("0", 32), Topic: plan.Topic}, "the checkpoint is of the store 0000"},
		{worker.Standing{Store: id, Topic: "00ff"}, "the checkpoint is of the topic with id 00ff"},
		{worker.Standing{Store: id, Epoch: 7, Topic: plan.Topic}, "the checkpoint is of log epoch 7"},
	} {
		_, err := p.Plan(ctx, c.at)
		if fatal := new(worker.FatalError); !errors.As(err, &fatal) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "checkpoint folder of its own") {
			t.Errorf("%+v: %v, want a refusal with %q", c.at, err, c.says)
		}
	}
	for _, r := range []worker.Range{{Partition: plannedPartitions, Until: 1}, {Epoch: 9, Until: 1}, {From: 2, Until: 1}} {
		_, err := p.Run(ctx, r, func() {})
		if fatal := new(worker.FatalError); !errors.As(err, &fatal) {
			t.Errorf("%+v: %v, want a fatal error", r, err)
		}
	}
	if _, other, err := w.executor(w.newStore()).Identity(ctx); err != nil || other == fingerprint {
		t.Errorf("another store has the fingerprint %s (%v), the first has %s", other, err, fingerprint)
	}
	if _, same, err := w.executor(w.store).Identity(ctx); err != nil || same != fingerprint {
		t.Errorf("another executor has the fingerprint %s (%v), the first has %s", same, err, fingerprint)
	}
	away := NewPlanned(Config{Kafka: queue.Config{Brokers: []string{w.broker.Addr()}}, StoreName: "test",
		OpenStore: func(context.Context) (store.Store, error) { return nil, errors.New("no route") }}, nil)
	_, _, err = away.Identity(ctx)
	if fatal := new(worker.FatalError); err == nil || errors.As(err, &fatal) || !strings.Contains(err.Error(), "no route") {
		t.Errorf("a store that is away: %v, want an error worth another try", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := p.Run(ended, worker.Range{Until: 5}, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled range: %v", err)
	}
}
