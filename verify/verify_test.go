package verify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/verify"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// A right store has no difference: with sketches, duplicates, late events,
// rerouted records, dead letters, a restart and a change of settings.
func TestRightStore(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	s.post(1, 25_000)
	s.misplace(10)
	s.catchUp()
	s.mustHold(s.verify())
	s.stop()
	v := view.DefaultSettings()
	v.VisitsEntries = 700
	s.settings.DedupeEntries, s.settings.Operator = 500, v.String()
	s.startProcessors()
	s.post(2, 3_000)
	s.catchUp()
	r := s.verify()
	s.stop()
	s.mustHold(r)
	if r.Shards != partitions || r.Duplicates == 0 || r.Rejected != 40 || r.Rerouted != 10 || r.Behind != 0 ||
		r.Pageviews+r.Duplicates != 28_000+40+10 {
		t.Errorf("%+v", r)
	}
	sketches := 0
	snap, err := s.config().Cells(t.Context())
	s.must(err)
	for _, cells := range snap.Shards {
		for i := range cells {
			if cells[i].Key.View == oracle.Uniques && cells[i].Value[0] == 2 {
				sketches++
			}
		}
	}
	if sketches == 0 {
		t.Error("no cell is a sketch, so none was compared")
	}
	if len(snap.Pointer.Generations) != 2 {
		t.Errorf("generations %v, want 2", snap.Pointer.Generations)
	}
}

// While events come in, the store is right at every moment.
func TestLive(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 6 {
			s.post(uint64(10+i), 3_000)
		}
	}()
	runs, behind := 0, int64(0)
	for posting := true; posting; runs++ {
		select {
		case <-done:
			posting = false
		default:
		}
		r := s.verify()
		behind += r.Behind
		if r.Differences > 0 {
			t.Fatalf("run %d:\n%s", runs, r)
		}
	}
	s.catchUp()
	s.mustHold(s.verify())
	s.stop()
	t.Logf("%d runs, %d records were behind the commits", runs, behind)
}

// plant copies a snapshot, so that each test spoils its own.
func plant(s *verify.Snapshot, spoil func(*verify.Snapshot)) *verify.Snapshot {
	c := &verify.Snapshot{Head: s.Head, Shards: map[store.Shard][]verify.StoredCell{}}
	c.Commits = slices.Clone(s.Commits)
	for shard, cells := range s.Shards {
		c.Shards[shard] = slices.Clone(cells)
	}
	spoil(c)
	return c
}

func TestPlantedDifferences(t *testing.T) {
	sys := newSystem(t)
	sys.startProcessors()
	sys.post(1, 3_000)
	sys.misplace(4)
	sys.catchUp()
	sys.stop()
	right, err := sys.config().Cells(t.Context())
	sys.must(err)
	shard := store.Shard{Partition: 1}
	// pick is a cell with a history: a domain's.
	pick := func(cells []verify.StoredCell, v oracle.View) int {
		best := -1
		for i := range cells {
			if c := &cells[i]; c.Key.View == v && !strings.Contains(c.Key.URL, "/") && (best < 0 || c.Version > cells[best].Version) {
				best = i
			}
		}
		return best
	}
	record := func(change func(*store.CommitRecord)) func(*verify.Snapshot) {
		return func(s *verify.Snapshot) {
			for i := range s.Commits {
				if s.Commits[i].Partition == shard.Partition {
					r, err := store.DecodeCommitRecord(s.Commits[i].Record)
					if err != nil {
						t.Fatal(err)
					}
					change(&r)
					s.Commits[i].Record = r.Append(nil)
				}
			}
		}
	}
	value := func(v oracle.View, spoil func(oracle.Value) oracle.Value) func(*verify.Snapshot) {
		return func(s *verify.Snapshot) {
			cells := s.Shards[shard]
			c := &cells[pick(cells, v)]
			was, err := oracle.ParseValue(v, c.Value)
			if err != nil {
				t.Fatal(err)
			}
			c.Value = spoil(was).Bytes(v)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(*verify.Snapshot)
		kind  string
		text  string // in the first difference
	}{
		{"nothing", func(*verify.Snapshot) {}, "", ""},
		{"pageviews changed", value(oracle.Pageviews, func(v oracle.Value) oracle.Value { v.Pageviews++; return v }), verify.KindValue, "holds"},
		{"a person removed", value(oracle.Uniques, func(v oracle.Value) oracle.Value { v.Hashes = v.Hashes[1:]; return v }), verify.KindValue, "visitors"},
		{"a bounce too many", value(oracle.Bounces, func(v oracle.Value) oracle.Value { v.Bounces++; return v }), verify.KindValue, "bounces"},
		{"bytes that are no cell", func(s *verify.Snapshot) {
			cells := s.Shards[shard]
			cells[pick(cells, oracle.Pageviews)].Value = []byte{0x80}
		}, verify.KindValue, "no cell"},
		{"a version before the first", func(s *verify.Snapshot) {
			cells := s.Shards[shard]
			c := &cells[pick(cells, oracle.Pageviews)]
			first, _ := sys.firstVersion(c.Key, shard)
			c.Version = first - 1
		}, verify.KindVersion, "at the lowest"},
		{"a version after the last", func(s *verify.Snapshot) {
			cells := s.Shards[shard]
			i := slices.IndexFunc(cells, func(c verify.StoredCell) bool { return c.Version < 500 })
			cells[i].Version++
		}, verify.KindVersion, "expected version"},
		{"a cell as it was long ago", func(s *verify.Snapshot) {
			cells := s.Shards[shard]
			c := &cells[pick(cells, oracle.Pageviews)]
			c.Version, c.Value = sys.firstVersion(c.Key, shard)
		}, verify.KindBehind, "commit"},
		{"a cell removed", func(s *verify.Snapshot) {
			i := pick(s.Shards[shard], oracle.Uniques)
			s.Shards[shard] = slices.Delete(s.Shards[shard], i, i+1)
		}, verify.KindMissing, "not stored"},
		{"the last cell removed", func(s *verify.Snapshot) {
			n := len(s.Shards[shard])
			s.Shards[shard] = s.Shards[shard][:n-1]
		}, verify.KindMissing, "not stored"},
		{"a cell added", func(s *verify.Snapshot) {
			s.Shards[shard] = append(s.Shards[shard], verify.StoredCell{Key: oracle.CellKey{View: oracle.Bounces, URL: "zzz.com", Hour: 1}, Version: 3, Value: []byte{2, 2}})
		}, verify.KindExtra, "zzz.com 1970-01-01T01:00:00Z"},
		{"a shard of no epoch", func(s *verify.Snapshot) {
			s.Shards[store.Shard{Epoch: 7}] = s.Shards[shard][:1]
		}, verify.KindExtra, "no epoch"},
		{"a commit of no epoch", func(s *verify.Snapshot) {
			s.Commits = append(s.Commits, verify.Commit{Epoch: 9, Offset: 1})
		}, verify.KindCommit, "no epoch"},
		{"a counter", record(func(r *store.CommitRecord) { r.Duplicates++ }), verify.KindCommit, "Duplicates"},
		{"what the views count", record(func(r *store.CommitRecord) { r.Operator = "\x02" + r.Operator[1:] }), verify.KindCommit, "Operator"},
		{"no commit record", func(s *verify.Snapshot) { s.Commits[0].Record = nil }, verify.KindCommit, "corrupt"},
	} {
		r, err := verify.Compare(t.Context(), sys.config(), plant(right, c.spoil))
		sys.must(err)
		switch {
		case c.kind == "" && r.OK():
		case c.kind == "":
			t.Errorf("%s:\n%s", c.name, r)
		case r.OK() || r.Differences != 1 || r.First[0].Kind != c.kind || !strings.Contains(r.First[0].String(), c.text):
			t.Errorf("%s: want one difference of kind %s with %q, got\n%s", c.name, c.kind, c.text, r)
		}
	}
}

// firstVersion runs the log of a shard up to a cell's first version.
func (s *system) firstVersion(k oracle.CellKey, shard store.Shard) (version int64, value []byte) {
	s.Helper()
	settings, err := oracle.ParseSettings(s.settings.String())
	s.must(err)
	o := oracle.New(oracle.Options{Partition: shard.Partition, Partitions: partitions, Settings: settings})
	info, err := s.node.Queue().Info(s.Context())
	s.must(err)
	s.must(s.node.Queue().ReadAll(s.Context(), shard.Partition, 0, info.Ends[shard.Partition], func(r *kgo.Record) error {
		if version == 0 {
			o.Add(verify.RecordOf(r))
		}
		if c, ok := o.Cell(k); ok {
			version, value = c.Version.Version, c.Value.Bytes(k.View)
		}
		return nil
	}))
	return version, value
}

// A record that left its partition and did not arrive is noticed.
func TestLostReroute(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	s.post(1, 100)
	s.misplace(6)
	s.catchUp()
	s.stop()
	cfg := s.config()
	cfg.Log = withoutReroutes{s.node.Queue()}
	r, err := verify.Run(t.Context(), cfg)
	s.must(err)
	if r.ByKind[verify.KindRerouted] != 6 {
		t.Errorf("want 6 rerouted records that did not arrive:\n%s", r)
	}
}

// withoutReroutes leaves the headers of rerouted records out.
type withoutReroutes struct{ *queue.Client }

func (w withoutReroutes) ReadAll(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	return w.Client.ReadAll(ctx, partition, from, to, func(r *kgo.Record) error {
		c := *r
		c.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h kgo.RecordHeader) bool { return h.Key == record.ReroutedHeader })
		return fn(&c)
	})
}

// What the log no longer has is said, and is not a difference.
func TestUnchecked(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	s.post(1, 2_000)
	s.catchUp()
	s.stop()
	s.must(s.node.Queue().DeleteBefore(t.Context(), 0, 5))
	r := s.verify()
	s.mustHold(r)
	if r.Shards != 1 || len(r.Unchecked) != 1 || r.Unchecked[0].Partition != 0 || r.Unchecked[0].Cells == 0 ||
		!strings.Contains(r.Unchecked[0].Reason, "begins at offset") {
		t.Errorf("the log of partition 0 was cut:\n%s", r)
	}
	s.must(s.node.Queue().DeleteBefore(t.Context(), 1, 5))
	if r := s.verify(); r.OK() || r.Differences != 0 || len(r.Unchecked) != 2 {
		t.Errorf("nothing could be checked, which is not well:\n%s", r)
	}

	// Another topic: a new log epoch. The old one's cells stay, unchecked.
	s.close()
	s.must(os.RemoveAll(filepath.Join(s.data, "queue")))
	s.startProcessors()
	s.post(2, 2_000)
	s.catchUp()
	s.stop()
	r = s.verify()
	s.mustHold(r)
	epochs, err := s.node.Store().Epochs(t.Context())
	s.must(err)
	if len(epochs) != 2 || r.Shards != partitions || len(r.Unchecked) != partitions || !strings.Contains(r.Unchecked[0].Reason, "gone") {
		t.Errorf("the topic was recreated:\n%s", r)
	}
}

// Over HTTP the same comes out as from the store.
func TestServer(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	s.post(1, 3_000)
	s.catchUp()
	s.stop()
	server := httptest.NewServer(verify.CellsHandler(s.node.Store(), "example:9092"))
	defer server.Close()
	near, err := verify.FromStore(s.node.Store())(t.Context())
	s.must(err)
	far, err := verify.FromServer(server.Client(), server.URL)(t.Context())
	s.must(err)
	if far.Kafka != "example:9092" {
		t.Errorf("address of the log is %q", far.Kafka)
	}
	near.Kafka = far.Kafka
	if !reflect.DeepEqual(near.Head, far.Head) || !reflect.DeepEqual(near.Shards, far.Shards) {
		t.Error("the server's cells are others than the store's")
	}
	r, err := verify.Compare(t.Context(), s.config(), far)
	s.must(err)
	s.mustHold(r)
	if b, err := json.Marshal(r); err != nil || !strings.Contains(string(b), `"differences":0`) {
		t.Errorf("%s, %v", b, err)
	}
}

// closedStore can be read no more.
type closedStore struct{}

func (closedStore) Read(context.Context) (store.Reader, error)  { return nil, store.ErrClosed }
func (closedStore) Row(context.Context, string) ([]byte, error) { return nil, store.ErrClosed }

func TestServerFails(t *testing.T) {
	closed := closedStore{}
	for name, c := range map[string]struct {
		handler http.Handler
		want    string
	}{
		"no store":     {verify.CellsHandler(closed, ""), "503"},
		"another":      {http.NotFoundHandler(), "404"},
		"cut off":      {text(`{"format":1}` + "\n" + `{"generation":0,"view":1,"url":"a","version":1,"value":""}`), "cut off after 1 cells"},
		"too few":      {text(`{"format":1}` + "\n" + `{"end":true,"cells":3}`), "0 cells where 3 were sent"},
		"its error":    {text(`{"format":1}` + "\n" + `{"end":true,"error":"broken disk"}`), "broken disk"},
		"format":       {text(`{"format":2}`), "format 2"},
		"list changes": {text(`{"format":1}` + "\n" + `{"end":true,"moved":true,"error":"x"}`), "list of generations changed"},
		"not at all":   {text(`<html>`), "first line"},
	} {
		server := httptest.NewServer(c.handler)
		_, err := verify.FromServer(server.Client(), server.URL)(t.Context())
		server.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func text(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

// A log that lost its end: what lies above it is not checked, the rest is.
func TestLostEnd(t *testing.T) {
	s := newSystem(t)
	s.startProcessors()
	s.post(1, 2_000)
	s.catchUp()
	s.stop()
	right, err := s.config().Cells(t.Context())
	s.must(err)
	cut := plant(right, func(s *verify.Snapshot) {
		s.Commits[0].Offset += 10
		s.Shards[store.Shard{}][3].Version = s.Commits[0].Offset
	})
	r, err := verify.Compare(t.Context(), s.config(), cut)
	s.must(err)
	if !r.OK() || len(r.Unchecked) != 1 || r.Unchecked[0].Cells != 1 || !strings.Contains(r.Unchecked[0].Reason, "lost") {
		t.Errorf("one cell lies above the log's end:\n%s", r)
	}
	// And a difference below the end is still found.
	cut.Shards[store.Shard{}][5].Value = []byte{0x7f}
	if r, err = verify.Compare(t.Context(), s.config(), cut); err != nil || r.Differences != 1 {
		t.Errorf("want one difference, %v:\n%s", err, r)
	}
}
