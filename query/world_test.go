package query_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch"
	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/microbatch"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/record"
	simbatch "speedlayer/sim/batch"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// world is a log of several partitions that runs through the real processors
// into Pebble in memory, and through the oracle.
type world struct {
	moves   bool // records may leave their partitions
	t       testing.TB
	store   *pebble.Store
	edges   *query.Edges
	engine  *query.Engine
	epoch   store.Epoch
	now     time.Time
	ends    []int64 // of the log
	pending [][]*kgo.Record
	log     [][]*kgo.Record // all of it
	linked  map[[2]string]bool
	layer   *simbatch.Layer
	procs   []*microbatch.Processor
	oracles []*oracle.Oracle
	nonce   int
}

// Send implements microbatch.Sink. In most logs here nothing leaves its partition.
func (w *world) Send(context.Context, []microbatch.Outgoing) error {
	if w.moves { // the test appends the copies
		return nil
	}
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
		ends: make([]int64, partitions), pending: make([][]*kgo.Record, partitions),
		log: make([][]*kgo.Record, partitions), linked: map[[2]string]bool{}}
	w.layer = &simbatch.Layer{Logs: w.logs, Edges: w.edgeList}
	topic := queue.TopicInfo{ID: "0a", Partitions: partitions, Starts: make([]int64, partitions), Ends: make([]int64, partitions)}
	w.epoch, _, err = catalog.EnsureEpoch(t.Context(), st, topic, view.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	for part := range partitions {
		p, err := microbatch.Load(t.Context(), microbatch.Config{
			Store: st, Shard: store.Shard{Partition: part}, Epoch: w.epoch, Topic: queue.TopicPageviews,
			Operator: view.NewPageviews(view.Limits{}),
			Sink:     w,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.procs = append(w.procs, p)
		w.oracles = append(w.oracles, oracle.New(oracle.Options{Partition: part, Partitions: partitions, Settings: oracle.DefaultSettings()}))
	}
	cfg := query.Config{Store: st, Edges: w.edges, Now: func() time.Time { return w.now }, LogEnds: w.logEnds, Append: w.appendEdge, Batch: w.layer.Open}
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
	w.edge(e)
	return nil
}

// record appends a record to the log.
func (w *world) record(part int32, key, value []byte, headers ...kgo.RecordHeader) {
	r := &kgo.Record{Topic: queue.TopicPageviews, Partition: part, Offset: w.ends[part], Timestamp: w.now, Key: key, Value: value, Headers: headers}
	w.ends[part]++
	w.pending[part] = append(w.pending[part], r)
	w.log[part] = append(w.log[part], r)
	w.oracles[part].Add(oracleRecord(r))
}

func oracleRecord(r *kgo.Record) oracle.Record {
	o := oracle.Record{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		o.Headers = append(o.Headers, oracle.Header{Name: h.Key, Value: h.Value})
	}
	return o
}

// edge applies an edge here and notes it for batch runs.
func (w *world) edge(e event.Edge) {
	w.edges.Apply(e)
	a, b := e.Pair()
	if e.Retract {
		delete(w.linked, [2]string{a, b})
	} else {
		w.linked[[2]string{a, b}] = true
	}
}

func (w *world) edgeList() (list [][2]string) {
	for e := range w.linked {
		list = append(list, e)
	}
	return list
}

// logs returns what the archive holds below a vector.
func (w *world) logs(vector []store.VectorEntry) (all []simbatch.Log, err error) {
	for _, v := range vector {
		o, err := oracle.EpochOptions(w.epoch, v.Partition)
		if err != nil {
			return nil, err
		}
		l := simbatch.Log{Options: o}
		for _, r := range w.log[v.Partition] {
			if r.Offset < v.Offset {
				l.Records = append(l.Records, oracleRecord(r))
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// Info implements batch.RunLog.
func (w *world) Info(context.Context) (queue.TopicInfo, error) {
	n := int32(len(w.ends))
	return queue.TopicInfo{ID: "0a", Partitions: n, Starts: make([]int64, n), Ends: w.ends}, nil
}

// Scan implements batch.RunLog.
func (w *world) Scan(_ context.Context, part int32, from, to int64, fn func(*kgo.Record) error) error {
	for _, r := range w.log[part] {
		if r.Offset >= from && r.Offset < to {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// run does a batch run.
func (w *world) run() store.Run {
	w.t.Helper()
	runs := batch.Runs{Store: w.store, Log: w, Job: w.layer, CheckSettings: view.CheckSettings, Owner: "test", Now: func() time.Time { return w.now }}
	run, err := runs.Run(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// answers are the answers of the oracle: the batch views, and the open generations.
func (w *world) answers() *oracle.Answers {
	p, err := w.store.Pointer(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	a := oracle.NewAnswers(p.Open()[0], w.oracles...)
	if p.Current != nil {
		a.Over(w.layer.Oracle(p.Current))
	}
	for e := range w.linked {
		a.Link(e[0], e[1])
	}
	return a
}

// visit appends a pageview at the world's time.
func (w *world) visit(person, url string) {
	w.nonce++
	w.json(person, fmt.Appendf(nil, `{"nonce":"n%d","person":%q,"url":%q,"ts":%d}`, w.nonce, person, url, w.now.UnixMilli()))
}

func (w *world) json(person string, value []byte) {
	part := record.PartitionOf([]byte(person), int32(len(w.procs)))
	w.record(part, []byte(person), slices.Clone(value))
}

// AppendMarker implements catalog.Log.
func (w *world) AppendMarker(_ context.Context, part int32, value []byte) error {
	w.record(part, nil, slices.Clone(value), kgo.RecordHeader{Key: record.MarkerHeader, Value: []byte("1")})
	return nil
}

// generation begins another generation, as changed settings do.
func (w *world) generation(change func(*view.Settings)) {
	w.t.Helper()
	p, err := w.store.Pointer(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := record.ParseSettings(p.Settings)
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := view.ParseSettings(s.Operator)
	if err != nil {
		w.t.Fatal(err)
	}
	change(&v)
	s.Operator = v.String()
	if _, began, err := catalog.EnsureSettings(w.t.Context(), w.store, w, int32(len(w.procs)), s); err != nil || !began {
		w.t.Fatal("no generation began:", err)
	}
}

// commit processes the records appended so far.
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
