package query_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/expire"
	"speedlayer/microbatch"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/sim/oracle"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

// world is a log of several partitions that runs through the real processors
// into Pebble in memory, and through the oracle.
type world struct {
	t       testing.TB
	store   *pebble.Store
	edges   *query.Edges
	engine  *query.Engine
	epoch   store.Epoch
	now     time.Time
	ends    []int64 // of the log
	pending [][]*kgo.Record
	procs   []*microbatch.Processor
	oracles []*oracle.Oracle
	nonce   int
}

// fail is a Sink for logs in which nothing leaves its partition.
type fail struct{}

func (fail) Send(context.Context, []microbatch.Outgoing) error {
	return fmt.Errorf("a record left its partition")
}

func newWorld(t testing.TB, partitions int32, config func(*query.Config)) *world {
	t.Helper()
	st, err := pebble.Open(pebble.Options{Dir: "store", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, store: st, edges: query.NewEdges(), now: time.Date(2026, 3, 1, 14, 30, 0, 0, time.UTC),
		ends: make([]int64, partitions), pending: make([][]*kgo.Record, partitions)}
	topic := queue.TopicInfo{ID: "0a", Partitions: partitions, Starts: make([]int64, partitions), Ends: make([]int64, partitions)}
	w.epoch, _, err = microbatch.EnsureEpoch(t.Context(), st, topic, microbatch.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	for part := range partitions {
		p, err := microbatch.Load(t.Context(), microbatch.Config{
			Store: st, Shard: store.Shard{Partition: part}, Epoch: w.epoch, Topic: queue.TopicPageviews,
			Operator: microbatch.NewPageviews(microbatch.DefaultSettings(), view.Limits{}),
			Sink:     fail{}, Hash: microbatch.PageviewHash(),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.procs = append(w.procs, p)
		w.oracles = append(w.oracles, oracle.New(oracle.Options{Partition: part, Partitions: partitions, Settings: oracle.DefaultSettings()}))
	}
	cfg := query.Config{Store: st, Edges: w.edges, Now: func() time.Time { return w.now }, LogEnds: w.logEnds, Append: w.appendEdge}
	if config != nil {
		config(&cfg)
	}
	w.engine = query.New(cfg)
	return w
}

func (w *world) logEnds(context.Context) (map[store.Shard]int64, error) {
	ends := make(map[store.Shard]int64)
	for part, end := range w.ends {
		ends[store.Shard{Partition: int32(part)}] = end
	}
	return ends, nil
}

func (w *world) appendEdge(_ context.Context, e event.Edge) error {
	w.edges.Apply(e)
	return nil
}

// record appends a record to the log.
func (w *world) record(part int32, key, value []byte, headers ...kgo.RecordHeader) {
	r := &kgo.Record{Topic: queue.TopicPageviews, Partition: part, Offset: w.ends[part], Timestamp: w.now, Key: key, Value: value, Headers: headers}
	w.ends[part]++
	w.pending[part] = append(w.pending[part], r)
	o := oracle.Record{Offset: r.Offset, Timestamp: w.now.UnixMilli(), Key: key, Value: value}
	for _, h := range headers {
		o.Headers = append(o.Headers, oracle.Header{Name: h.Key, Value: h.Value})
	}
	w.oracles[part].Add(o)
}

// visit appends a pageview at the world's time.
func (w *world) visit(person, url string) {
	w.nonce++
	w.json(person, fmt.Appendf(nil, `{"nonce":"n%d","person":%q,"url":%q,"ts":%d}`, w.nonce, person, url, w.now.UnixMilli()))
}

func (w *world) json(person string, value []byte) {
	part := queue.PartitionOf([]byte(person), int32(len(w.procs)))
	w.record(part, []byte(person), slices.Clone(value))
}

// AppendMarker implements expire.Log.
func (w *world) AppendMarker(_ context.Context, part int32, value []byte) error {
	w.record(part, nil, slices.Clone(value), kgo.RecordHeader{Key: queue.MarkerHeader, Value: []byte("1")})
	return nil
}

// generation begins another generation, as changed settings do.
func (w *world) generation(change func(*microbatch.Settings)) {
	w.t.Helper()
	p, err := w.store.Pointer(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := microbatch.ParseSettings(p.Settings)
	if err != nil {
		w.t.Fatal(err)
	}
	change(&s)
	if _, began, err := expire.EnsureSettings(w.t.Context(), w.store, w, int32(len(w.procs)), s); err != nil || !began {
		w.t.Fatal("no generation began:", err)
	}
}

// commit runs what was appended.
func (w *world) commit() {
	w.t.Helper()
	for part, recs := range w.pending {
		if err := w.procs[part].Process(w.t.Context(), recs); err != nil {
			w.t.Fatal(err)
		}
		if err := w.procs[part].Commit(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.pending[part] = nil
	}
}
