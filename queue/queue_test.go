package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/queue/embedded"
	"speedlayer/record"
)

func startBroker(t testing.TB, dir string) *embedded.Broker {
	t.Helper()
	b, err := embedded.Start(embedded.Config{Dir: dir, Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dial(t testing.TB, b *embedded.Broker) *Client {
	t.Helper()
	c, err := Dial(t.Context(), Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t testing.TB) (*embedded.Broker, *Client) {
	b := startBroker(t, t.TempDir())
	c := dial(t, b)
	t.Cleanup(func() {
		c.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, c
}

func messages(n int) (m []Message) {
	for i := range n {
		m = append(m, Message{fmt.Appendf(nil, "person-%d", i%17), fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	return m
}

func readAll(t testing.TB, c *Client) (recs []kgo.Record) {
	t.Helper()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for part := range info.Partitions {
		if err := c.ReadAll(t.Context(), part, info.Starts[part], info.Ends[part], func(r *kgo.Record) error {
			copied := *r
			copied.Key, copied.Value = append([]byte(nil), r.Key...), append([]byte(nil), r.Value...)
			recs = append(recs, copied)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return recs
}

// A person's records lie in the partition that record.PartitionOf says, in order, and
// have the broker's time.
func TestAppendAndRead(t *testing.T) {
	_, c := start(t)
	before := time.Now().Add(-time.Second)
	at, err := c.AppendSync(t.Context(), messages(1000))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range messages(1000) {
		if at[i].Partition != record.PartitionOf(m.Person, 8) {
			t.Fatalf("%s lies in partition %d, record.PartitionOf says %d", m.Person, at[i].Partition, record.PartitionOf(m.Person, 8))
		}
	}
	recs := readAll(t, c)
	if len(recs) != 1000 {
		t.Fatalf("%d records, want 1000", len(recs))
	}
	last := map[string]int{}
	for _, r := range recs {
		var n int
		if _, err := fmt.Sscanf(string(r.Value), `{"n":%d}`, &n); err != nil {
			t.Fatal(err)
		}
		if n < last[string(r.Key)] {
			t.Fatalf("%s: %d comes after %d", r.Key, n, last[string(r.Key)])
		}
		last[string(r.Key)] = n
		if r.Timestamp.Before(before) || r.Timestamp.After(time.Now().Add(time.Second)) {
			t.Fatalf("record time %v is not the broker's", r.Timestamp)
		}
	}
}

// A client with Kafka's default partitioner agrees with record.PartitionOf.
func TestPartitionOf(t *testing.T) {
	b, c := start(t)
	theirs, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	_ = c
	for n := range 200 {
		key := make([]byte, 1+n%30)
		for i := range key {
			key[i] = byte(rand.Uint32())
		}
		r := &kgo.Record{Topic: TopicPageviews, Key: key, Value: []byte("x")}
		if err := theirs.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if want := record.PartitionOf(key, 8); r.Partition != want {
			t.Fatalf("%x: their partition is %d, record.PartitionOf says %d", key, r.Partition, want)
		}
	}
}

// A restart finds everything and the same topic, also from a copy of the files
// taken while the broker runs, which is what a killed process leaves.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	c := dial(t, b)
	if _, err := c.AppendSync(t.Context(), messages(500)); err != nil {
		t.Fatal(err)
	}
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	if err := os.CopyFS(filepath.Join(killed, "copy"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, filepath.Join(killed, "copy")} {
		b := startBroker(t, dir)
		c := dial(t, b)
		again, err := c.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again.ID != info.ID || fmt.Sprint(again.Ends) != fmt.Sprint(info.Ends) {
			t.Errorf("after the restart the topic is %+v, it was %+v", again, info)
		}
		if n := len(readAll(t, c)); n != 500 {
			t.Errorf("after the restart there are %d records of 500", n)
		}
		c.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A log whose last bytes are gone opens, and ends lower.
func TestTruncatedLog(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	c := dial(t, b)
	for i := range 20 { // batches of their own
		if _, err := c.AppendSync(t.Context(), []Message{{[]byte("p"), fmt.Appendf(nil, "%d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	part := record.PartitionOf([]byte("p"), 8)
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	cut := 0
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) != fmt.Sprintf("%s-%d", TopicPageviews, part) {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() > 100 && filepath.Ext(path) != ".json" {
			cut++
			return os.Truncate(path, info.Size()-30)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if cut == 0 {
		t.Fatal("no file of the partition was found to cut")
	}
	b = startBroker(t, dir)
	defer b.Close()
	c = dial(t, b)
	defer c.Close()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if end := info.Ends[part]; end < 10 || end >= 20 {
		t.Errorf("the cut log ends at %d, want a little below 20", end)
	}
	r, err := c.NewReader(part, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var outside *ErrLogEnd
	if _, err := r.Poll(t.Context(), nil); !errors.As(err, &outside) || outside.End != info.Ends[part] {
		t.Errorf("reading after the end: %v, want ErrLogEnd with %d", err, info.Ends[part])
	}
}

func TestOneBrokerPerDirectory(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	defer b.Close()
	if again, err := embedded.Start(embedded.Config{Dir: dir, Trusted: true}); err == nil {
		_ = again.Close()
		t.Fatal("a second broker took the same directory")
	}
}

func TestRerouteAndDeadLetter(t *testing.T) {
	_, c := start(t)
	m, err := c.NewRerouter()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i := range 50 {
		m.Reroute(3, []byte("k"), fmt.Appendf(nil, "%d", i), record.Source{Epoch: 1, Partition: 2, Offset: int64(i)})
	}
	m.DeadLetter(&kgo.Record{Key: []byte("k"), Value: []byte("bad"), Headers: []kgo.RecordHeader{{Key: "own", Value: []byte("h")}}}, record.Source{Epoch: 1, Partition: 2, Offset: 99}, "because")
	if err := m.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	i := 0
	if err := c.ReadAll(t.Context(), 3, 0, 50, func(r *kgo.Record) error {
		src, err := record.ParseSource(r.Headers[0].Value)
		if err != nil || src != (record.Source{Epoch: 1, Partition: 2, Offset: int64(i)}) || string(r.Value) != fmt.Sprint(i) || r.Headers[0].Key != record.ReroutedHeader {
			return fmt.Errorf("rerouted record %d: %s from %v, %v", i, r.Value, src, err)
		}
		i++
		return nil
	}); err != nil || i != 50 {
		t.Fatal(i, err)
	}
	r, err := c.newReader(TopicRejected, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	recs, err := r.Poll(t.Context(), nil)
	if err != nil || len(recs) != 1 || string(recs[0].Value) != "bad" || len(recs[0].Headers) != 3 ||
		string(recs[0].Headers[1].Value) != "because" || string(recs[0].Headers[2].Value) != "pageviews/1/2/99" {
		t.Fatalf("dead letters: %+v, %v", recs, err)
	}
}

func TestMarker(t *testing.T) {
	_, c := start(t)
	if err := c.AppendMarker(t.Context(), 5, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	recs := readAll(t, c)
	if len(recs) != 1 || recs[0].Partition != 5 || len(recs[0].Key) != 0 || recs[0].Headers[0].Key != record.MarkerHeader {
		t.Fatalf("%+v", recs)
	}
}

func TestEdges(t *testing.T) {
	_, c := start(t)
	want := []event.Edge{{ID1: "a", ID2: "b", TS: 1000}, {ID1: "b", ID2: "a", TS: 2000, Retract: true}}
	for _, e := range want {
		if err := c.AppendEdge(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var got []event.Edge
	_ = c.FollowEdges(ctx, func(_ int64, e event.Edge) { got = append(got, e) }, cancel)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("edges are %v, want %v", got, want)
	}
}

func TestReadBelowLogStart(t *testing.T) {
	_, c := start(t)
	at, err := c.AppendSync(t.Context(), []Message{{[]byte("p"), []byte("1")}, {[]byte("p"), []byte("2")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteBefore(t.Context(), at[0].Partition, 1); err != nil {
		t.Fatal(err)
	}
	r, err := c.NewReader(at[0].Partition, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var below *ErrLogStart
	if _, err := r.Poll(t.Context(), nil); !errors.As(err, &below) || below.Start != 1 {
		t.Fatalf("%v, want ErrLogStart with 1", err)
	}
}

func TestBrokerGone(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, Config{Brokers: []string{"127.0.0.1:1"}}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("%v, want ErrUnavailable", err)
	}
}

func TestRetain(t *testing.T) {
	sizes, starts, ends := []int64{100, 1000}, []int64{0, 50}, []int64{10, 150}
	if d := Retain(0, sizes, starts, ends, ends); d != nil {
		t.Errorf("without a bound: %v", d)
	}
	d := Retain(1000, sizes, starts, ends, []int64{10, 80})
	if len(d) != 1 || d[0].Partition != 1 || d[0].From != 50 || d[0].Below != 80 {
		t.Errorf("%+v: want partition 1 dropped up to what is needed, 80", d)
	}
	d = Retain(1000, sizes, starts, ends, []int64{10, 150})
	if len(d) != 1 || d[0].Below != 101 {
		t.Errorf("%+v: want half of partition 1 dropped", d)
	}
}

// BenchmarkAppend64 is 64 clients with one record each on the way; ns/op is the
// time between acknowledgements.
func BenchmarkAppend64(b *testing.B) {
	_, c := start(b)
	value := make([]byte, 230)
	var wg sync.WaitGroup
	work := make(chan int, b.N)
	for i := range b.N {
		work <- i
	}
	close(work)
	b.ResetTimer()
	for range 64 {
		wg.Go(func() {
			acked := make(chan error, 1)
			for i := range work {
				c.Append(context.Background(), fmt.Appendf(nil, "person-%d", i%10007), value, func(_ Position, err error) { acked <- err })
				if err := <-acked; err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkConsume(b *testing.B) {
	_, c := start(b)
	value := make([]byte, 230)
	const n = 300_000
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		c.kafka.Produce(context.Background(), &kgo.Record{Topic: TopicPageviews, Key: []byte("p"), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
	part := record.PartitionOf([]byte("p"), 8)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		r, err := c.NewReader(part, 0)
		if err != nil {
			b.Fatal(err)
		}
		var recs []*kgo.Record
		for got := 0; got < n && done < b.N; {
			if recs, err = r.Poll(context.Background(), recs[:0]); err != nil {
				b.Fatal(err)
			}
			got += len(recs)
			done += len(recs)
			r.Recycle(recs)
		}
		r.Close()
	}
}
