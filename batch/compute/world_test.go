package compute_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch/archive"
	"speedlayer/batch/compute"
	"speedlayer/event"
	"speedlayer/internal/objects"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	minute = int64(time.Minute / time.Millisecond)
	hour   = 60 * minute
)

// begin is when the log begins, in ms: in the middle of a week of 28 days.
var begin = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC).UnixMilli()

// world is a log of one or more incarnations of the topic, with the archive of it and
// the edges: the source of an archiver, and what the oracle is given.
type world struct {
	t      testing.TB
	r      *rand.Rand
	epochs []store.Epoch
	logs   map[store.Shard][]*kgo.Record
	edges  []event.Edge
	now    int64 // of the records

	persons, urls, nonces []string
	moves                 []move // misplaced records that were not rerouted yet, or may be again
	objects               objects.Store
	archiver              *archive.Archiver
}

type move struct {
	from record.Source
	pv   event.Pageview
	key  []byte
}

func newWorld(t testing.TB, r *rand.Rand) *world {
	w := &world{t: t, r: r, logs: map[store.Shard][]*kgo.Record{}, now: begin, objects: &memObjects{}}
	var err error
	w.archiver, err = archive.NewArchiver(archive.Config{Objects: w.objects, Source: w, Commits: w, TempDir: t.TempDir(), FileRows: int64(1 + r.IntN(200))})
	must(t, err)
	t.Cleanup(func() { must(t, w.archiver.Close()) })
	for i := range 2 + r.IntN(8) {
		w.persons = append(w.persons, fmt.Sprintf("10.0.0.%d", i))
	}
	for _, d := range []string{"foo.com", "bar.org", "foo.com:8080"} {
		w.urls = append(w.urls, "https://"+d, "http://www."+d+"/a", "https://"+d+"/a/b?q=1", "https://"+d+"/ü")
	}
	for i := range 1 + r.IntN(100) {
		w.nonces = append(w.nonces, fmt.Sprint("n", i))
	}
	return w
}

// incarnation begins an epoch with a number of partitions and fills its logs.
func (w *world) incarnation(partitions int32, records int) {
	e := store.Epoch{Number: uint32(len(w.epochs)), TopicID: fmt.Sprint("t", len(w.epochs)), Partitions: partitions}
	for p := range partitions {
		e.Starts = append(e.Starts, int64(w.r.IntN(3)))
		w.logs[store.Shard{Epoch: e.Number, Partition: p}] = nil
	}
	w.epochs = append(w.epochs, e)
	for range records {
		w.record()
	}
	_, err := w.archiver.Archive(w.t.Context())
	must(w.t, err)
}

func (w *world) epoch() store.Epoch { return w.epochs[len(w.epochs)-1] }

func (w *world) append(partition int32, key, value []byte, headers ...kgo.RecordHeader) record.Source {
	e := w.epoch()
	s := store.Shard{Epoch: e.Number, Partition: partition}
	w.now += w.r.Int64N(3 * minute)
	at := w.now - w.r.Int64N(minute) // log time is not monotone by itself
	offset := e.Starts[partition] + int64(len(w.logs[s]))
	w.logs[s] = append(w.logs[s], &kgo.Record{Topic: queue.TopicPageviews, Partition: partition, Offset: offset,
		Key: key, Value: value, Headers: headers, Timestamp: time.UnixMilli(at)})
	return record.Source{Epoch: e.Number, Partition: partition, Offset: offset}
}

// ts is when something happened: mostly now, sometimes late by much, and often
// around thirty minutes from something else.
func (w *world) ts() int64 {
	switch w.r.IntN(8) {
	case 0:
		return max(0, w.now-w.r.Int64N(80*24*hour))
	case 1:
		return begin + 30*minute*w.r.Int64N(40) + w.r.Int64N(3) - 1
	case 2, 3:
		return begin + 30*minute*w.r.Int64N(40)
	}
	return max(0, w.now-w.r.Int64N(40*minute))
}

func (w *world) pageview() event.Pageview {
	pv := event.Pageview{Person: []byte(w.persons[w.r.IntN(len(w.persons))]), URL: []byte(w.urls[w.r.IntN(len(w.urls))]), TS: w.ts()}
	if w.r.IntN(8) > 0 {
		pv.Nonce, pv.HasNonce = []byte(w.nonces[w.r.IntN(len(w.nonces))]), true
	}
	return pv
}

func (w *world) encode(pv *event.Pageview) []byte {
	if w.r.IntN(2) == 0 {
		return event.AppendJSON(nil, pv)
	}
	return event.AppendCompact(nil, pv)
}

// record appends one record of some sort.
func (w *world) record() {
	partitions := w.epoch().Partitions
	pv := w.pageview()
	home := record.PartitionOf(pv.Person, partitions)
	switch w.r.IntN(40) {
	case 0:
		w.append(w.r.Int32N(partitions), nil, record.Marker{Generation: w.r.Uint32N(6), Run: true}.Append(nil),
			kgo.RecordHeader{Key: record.MarkerHeader, Value: []byte("1")})
	case 1:
		w.append(home, pv.Person, [][]byte{nil, []byte("{"), []byte(`{"person":"p"}`), {7}}[w.r.IntN(4)])
	case 2: // ahead of the log, by more than is taken or just not
		pv.TS = w.now + 24*hour - minute + w.r.Int64N(2*minute)
		w.append(home, pv.Person, w.encode(&pv))
	case 3, 4, 5:
		pv.Person = slices.Clone(pv.Person)
		src := w.append(w.r.Int32N(partitions), pv.Person, w.encode(&pv))
		w.moves = append(w.moves, move{src, pv, pv.Person})
	case 6, 7, 8:
		w.move()
	default:
		w.append(home, pv.Person, w.encode(&pv))
	}
}

// move reroutes a misplaced record, perhaps not for the first time, perhaps
// where it does not belong, or what is broken.
func (w *world) move() {
	if len(w.moves) == 0 {
		return
	}
	m := &w.moves[w.r.IntN(len(w.moves))]
	pv, target := m.pv, record.PartitionOf(m.pv.Person, w.epoch().Partitions)
	if !pv.HasNonce {
		pv.Nonce, pv.HasNonce = m.from.AppendNonce(nil, queue.TopicPageviews), w.r.IntN(4) > 0
	}
	value := w.encode(&pv)
	switch w.r.IntN(12) {
	case 0:
		target = w.r.Int32N(w.epoch().Partitions)
	case 1:
		value = []byte("broken")
	}
	w.append(target, m.key, value, kgo.RecordHeader{Key: record.ReroutedHeader, Value: []byte(m.from.String())})
}

// edge appends an edge that joins two persons or takes that back.
func (w *world) edge() {
	a, b := w.persons[w.r.IntN(len(w.persons))], w.persons[w.r.IntN(len(w.persons))]
	if a != b {
		w.edges = append(w.edges, event.Edge{ID1: a, ID2: b, TS: w.now, Retract: w.r.IntN(3) == 0})
	}
}

// vector cuts each log somewhere.
func (w *world) vector(whole bool) (v []store.VectorEntry) {
	for s, recs := range w.logs {
		n := len(recs)
		if !whole {
			n = w.r.IntN(n + 1)
		}
		v = append(v, store.VectorEntry{Epoch: s.Epoch, Partition: s.Partition, Offset: w.epochs[s.Epoch].Starts[s.Partition] + int64(n)})
	}
	return v
}

// oracle is what a run must hold.
func (w *world) oracle(vector []store.VectorEntry) *oracle.Batch {
	b := oracle.NewBatch()
	vector = slices.Clone(vector)
	slices.SortFunc(vector, func(a, b store.VectorEntry) int { return int(a.Epoch) - int(b.Epoch) })
	for _, v := range vector {
		s := store.Shard{Epoch: v.Epoch, Partition: v.Partition}
		opt := oracle.Options{Epoch: v.Epoch, Partition: v.Partition, Partitions: w.epochs[v.Epoch].Partitions, Start: w.epochs[v.Epoch].Starts[v.Partition]}
		var records []oracle.Record
		for _, r := range w.logs[s] {
			if r.Offset >= v.Offset {
				break
			}
			o := oracle.Record{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				o.Headers = append(o.Headers, oracle.Header{Name: h.Key, Value: h.Value})
			}
			records = append(records, o)
		}
		b.Add(opt, records)
	}
	for _, e := range w.edges {
		if e.Retract {
			b.Unlink(e.ID1, e.ID2)
		} else {
			b.Link(e.ID1, e.ID2)
		}
	}
	return b
}

func (w *world) input(vector []store.VectorEntry) compute.Input {
	return compute.Input{Log: compute.FromArchive(archive.New(w.objects)), Vector: vector, Number: 3, Edges: w.edges, WorkDir: "work", OutDir: "out"}
}

// The world as the source of an archiver.

func (w *world) Epochs(context.Context) ([]store.Epoch, error) { return w.epochs, nil }

func (w *world) Commit(_ context.Context, s store.Shard) (store.Commit, bool, error) {
	return store.Commit{Offset: w.epochs[s.Epoch].Starts[s.Partition] + int64(len(w.logs[s]))}, true, nil
}

func (w *world) ReadAll(_ context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	for _, r := range w.logs[store.Shard{Epoch: w.epoch().Number, Partition: partition}] {
		if r.Offset < from || r.Offset >= to {
			continue
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) EdgeLog(context.Context) (queue.EdgeLog, error) {
	return queue.EdgeLog{ID: "e", End: int64(len(w.edges))}, nil
}

func (w *world) ReadEdges(_ context.Context, from, to int64, fn func(*kgo.Record) error) error {
	for i := from; i < to; i++ {
		r := &kgo.Record{Topic: queue.TopicEquivs, Offset: i, Value: w.edges[i].AppendJSON(nil), Timestamp: time.UnixMilli(w.edges[i].TS)}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}
