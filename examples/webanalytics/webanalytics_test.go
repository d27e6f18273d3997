package webanalytics

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/collector/accesslog"
	"speedlayer/crdt"
	"speedlayer/demo"
	"speedlayer/event"
	"speedlayer/microbatch"
	"speedlayer/record"
	"speedlayer/sim/generate"
	"speedlayer/store"
	"speedlayer/topology"
	"speedlayer/view"
)

// On a real log and on random streams, every cell is what the hand-tuned operator
// has: counts and sets byte by byte, visits and bounces as numbers.
func TestEqualsHandTuned(t *testing.T) {
	compare(t, "the demo's log", demoLog(t))
	for seed := range uint64(20) {
		compare(t, fmt.Sprintf("stream of seed %d", seed), stream(t, seed, 3000))
	}
}

func compare(t *testing.T, name string, recs []*kgo.Record) {
	t.Helper()
	tuned, written := &memory{}, &memory{}
	process(t, tuned, view.NewPageviews(view.Limits{}), view.Defaults(), recs)
	process(t, written, operator(), settings(), recs)
	want, got := map[string]string{}, map[string]string{}
	for k, value := range tuned.cells {
		switch k.View {
		case view.PageviewsView:
			want[fmt.Sprint("pageviews-of-url/", k.URL, k.Hour)] = string(value)
		case view.UniquesView:
			want[fmt.Sprint("uniques/", k.URL, k.Hour)] = string(value)
		default:
			n, err := crdt.DecodeVisitCount(value)
			if err != nil {
				t.Fatal(err)
			}
			want[fmt.Sprint("visits/", k.URL, k.Hour)] = strconv.Itoa(int(n.Visits))
			want[fmt.Sprint("bounces/", k.URL, k.Hour)] = strconv.Itoa(int(n.Bounces))
		}
	}
	for k, value := range written.cells {
		text := string(value)
		if k.View == 4 { // a sum
			n, _ := binary.Varint(value)
			text = strconv.Itoa(int(n))
		}
		got[fmt.Sprint(k.URL, k.Hour)] = text
	}
	// One cell of the tuned operator is two sums; one that never changed is not there.
	for k, v := range want {
		if _, there := got[k]; !there && v == "0" {
			got[k] = "0"
		}
	}
	if len(recs) < 1000 || len(want) == 0 || !maps.Equal(got, want) {
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s: %s is %q, want %q", name, k, got[k], v)
				break
			}
		}
		t.Fatalf("%s: %d records, %d cells, want %d", name, len(recs), len(got), len(want))
	}
}

func operator() microbatch.Operator {
	topo, _ := New()
	return topo.Stages()[0].Operator([]int32{1}, topology.Limits{})
}

func settings() record.Settings {
	topo, _ := New()
	return record.DefaultSettings(topo.Stages()[0].Settings())
}

// process runs records through an operator.
func process(t testing.TB, m *memory, o microbatch.Operator, s record.Settings, recs []*kgo.Record) {
	t.Helper()
	m.cells = map[store.Key][]byte{}
	p, err := microbatch.Load(t.Context(), microbatch.Config{Store: m, Epoch: store.Epoch{Partitions: 1, Starts: []int64{0}, Settings: s.String()},
		Topic: "pageviews", Operator: o, Sink: m})
	if err != nil {
		t.Fatal(err)
	}
	for len(recs) > 0 {
		n := min(len(recs), 1000)
		if err := p.Process(t.Context(), recs[:n]); err != nil {
			t.Fatal(err)
		}
		recs = recs[n:]
		if p.Uncommitted() > 20_000 || len(recs) == 0 {
			if err := p.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// memory is a store of cells only, and a sink of what is rejected.
type memory struct {
	store.Store
	cells    map[store.Key][]byte
	rejected int
}

func (m *memory) Commit(context.Context, store.Shard) (c store.Commit, found bool, err error) { return }
func (m *memory) Snapshot(context.Context, store.Shard) (n store.SnapshotName, found bool, err error) {
	return
}

func (m *memory) Cells(_ context.Context, _ store.Shard, keys []store.Key, fn func(int, int64, []byte) error) error {
	for i, k := range keys {
		if v, ok := m.cells[k]; ok {
			if err := fn(i, 0, v); err != nil { // as of before: whoever asks has run all of it
				return err
			}
		}
	}
	return nil
}

func (m *memory) Apply(_ context.Context, b *store.Batch) error {
	for i := range b.Cells {
		m.cells[b.Cells[i].Key] = bytes.Clone(b.Cells[i].Value)
	}
	return nil
}

func (m *memory) Send(_ context.Context, out []microbatch.Outgoing) error {
	m.rejected += len(out)
	return nil
}

func recordOf(offset int, person, value []byte) *kgo.Record {
	return &kgo.Record{Offset: int64(offset), Timestamp: time.UnixMilli(1_790_000_000_000 + int64(offset)), Key: bytes.Clone(person), Value: value}
}

// demoLog is the demo's access log as records.
func demoLog(t testing.TB) (recs []*kgo.Record) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(demo.AccessLog))
	if err != nil {
		t.Fatal(err)
	}
	p := accesslog.NewParser(accesslog.Options{})
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var l accesslog.Line
		var pv event.Pageview
		if p.Parse(lines.Bytes(), &l) != nil {
			continue
		}
		if reason, err := l.Pageview(demo.Host, &pv); reason != "" || err != nil {
			continue
		}
		recs = append(recs, recordOf(len(recs), pv.Person, event.AppendJSON(nil, &pv)))
	}
	return recs
}

// stream is a random stream: late views, duplicates, bots.
func stream(t testing.TB, seed uint64, n int64) (recs []*kgo.Record) {
	t.Helper()
	g, err := generate.New(generate.Config{Events: n, Seed: seed, URLs: 300, Persons: 200, Domains: 20, Late: 0.3, Duplicates: 0.1, Span: 6 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for e := new(generate.Event); g.Next(e); {
		if e.Kind == generate.Pageview {
			recs = append(recs, recordOf(len(recs), nil, e.AppendJSON(nil)))
		}
	}
	return recs
}

// The documents show the diagram of what runs.
func TestDiagram(t *testing.T) {
	topo, _ := New()
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```mermaid\n"+topo.Mermaid()+"```\n") {
		t.Errorf("ARCHITECTURE.md does not have\n%s", topo.Mermaid())
	}
}

// BenchmarkRatio runs the same stream through the hand-tuned operator and through
// this one, and reports the ratio of their speeds.
func BenchmarkRatio(b *testing.B) {
	recs := stream(b, 1, 200_000)
	var tuned, written time.Duration
	for b.Loop() {
		begin := time.Now()
		process(b, &memory{}, view.NewPageviews(view.Limits{}), view.Defaults(), recs)
		tuned += time.Since(begin)
		begin = time.Now()
		process(b, &memory{}, operator(), settings(), recs)
		written += time.Since(begin)
	}
	b.ReportMetric(float64(tuned)/float64(written), "ratio")
	b.ReportMetric(float64(len(recs))*float64(b.N)/written.Seconds(), "events/s")
}
