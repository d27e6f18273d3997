package archive_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/batch/archive"
	"speedlayer/event"
	"speedlayer/internal/objects"
	"speedlayer/record"
	"speedlayer/store"
)

// everything is a log with one record of each sort, over three days.
func everything(partitions int32) *fakeLog {
	l := newLog(partitions)
	for p := range partitions {
		me := personOf(p, partitions, 1)
		l.view(p, 0, me, "https://www.foo.com/a?x=1")
		l.add(p, 5, []byte(me), []byte(fmt.Sprintf(`{"person":%q,"url":"https://foo.com/b","ts":%d,"referrer":"https://bar.com/","user_agent":"ua \u00e9"}`, me, day0)))
		l.add(p, 3, []byte(me), []byte(fmt.Sprintf(`{"nonce":"n","person":%q,"url":"https://foo.com/b","ts":%d}`, me, day0)))
		l.add(p, 7, nil, []byte("no record"), kgo.RecordHeader{Key: "h", Value: nil}, kgo.RecordHeader{Key: "g", Value: []byte{}})
		l.add(p, 8, []byte{}, nil)
		l.view(p, 9, personOf((p+1)%partitions, partitions, 2), "https://foo.com/elsewhere")
		value, header := marker(uint32(p) + 1)
		l.add(p, 10, nil, value, header)
		l.add(p, 11, nil, []byte("{"), header)
		// The nonce is that of the archive in testdata, which an earlier version wrote.
		pv := event.Pageview{Nonce: []byte("moved"), HasNonce: true, Person: []byte(me), URL: []byte("http://foo.com"), TS: day0}
		l.add(p, 12, []byte(me), event.AppendJSON(nil, &pv), kgo.RecordHeader{Key: record.ReroutedHeader, Value: []byte("0/1/77")})
		l.add(p, 13, []byte(me), event.AppendJSON(nil, &pv), kgo.RecordHeader{Key: record.ReroutedHeader, Value: []byte("x")})
		l.view(p, 24*3600*1000, me, "https://foo.com/next-day")
		l.view(p, 48*3600*1000, me, "https://foo.com/the-day-after")
	}
	l.edge(`{"id1":"a","id2":"b","ts":5}`)
	l.edge(`nonsense`)
	l.edge(`{"id1":"a","id2":"b","ts":"2026-11-24T00:00:00Z","retract":true}`)
	l.commit()
	return l
}

// checkWhole reports where the archive differs from the log, record by record.
func checkWhole(t testing.TB, o objects.Store, l *fakeLog) *archive.Snapshot {
	t.Helper()
	s, err := archive.New(o).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Covers(l.vector()); err != nil {
		t.Fatal(err)
	}
	for i := range s.Shards {
		shard := s.Shards[i].Shard()
		from, to := s.Shards[i].Start, s.Shards[i].End
		var want []*kgo.Record
		if err := l.ReadAll(t.Context(), shard.Partition, from, to, func(r *kgo.Record) error {
			c := *r
			c.Key, c.Value = clone(r.Key), clone(r.Value)
			want = append(want, &c)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		err := s.Rows(t.Context(), shard, from, to, func(r *archive.Row) error {
			if len(want) == 0 {
				return fmt.Errorf("%v: row %d too many", shard, r.Offset)
			}
			have, err := r.Record()
			if err != nil {
				return err
			}
			if err := sameRecord(have, want[0]); err != nil {
				return fmt.Errorf("%v: %w", shard, err)
			}
			want = want[1:]
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(want) > 0 {
			t.Fatalf("%v: record %d is missing", shard, want[0].Offset)
		}
	}
	return s
}

func sameRecord(have, want *kgo.Record) error {
	same := have.Offset == want.Offset && have.Timestamp.Equal(want.Timestamp) && bytes.Equal(have.Key, want.Key) && bytes.Equal(have.Value, want.Value) &&
		(have.Key == nil) == (want.Key == nil) && (have.Value == nil) == (want.Value == nil) &&
		slices.EqualFunc(have.Headers, want.Headers, func(a, b kgo.RecordHeader) bool {
			return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil)
		})
	if !same {
		return fmt.Errorf("record %+v\nwas %+v", have, want)
	}
	return nil
}

func TestEverythingComesBack(t *testing.T) {
	l := everything(3)
	o := openFolder(t)
	if _, err := newArchiver(t, o, l).Archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := checkWhole(t, o, l)
	shard := store.Shard{Partition: 1}
	var kinds, pages, rerouted []string
	var logTimes []int64
	from, to := int64(0), s.Shards[1].End
	err := s.Scan(t.Context(), shard, from, to, archive.Events|archive.LogTime|archive.Referrer|archive.UserAgent, func(c *archive.Columns) error {
		for _, m := range c.Rerouted {
			rerouted = append(rerouted, fmt.Sprintf("%d from %d/%d/%d", c.Offset[m.Row], m.Epoch, m.Partition, m.Offset))
		}
		for i := range c.N {
			kinds, pages = append(kinds, c.Kind[i].String()), append(pages, string(c.Page.Row(i)))
			logTimes = append(logTimes, c.LogTime[i]-day0)
			if i == 1 && (string(c.Referrer.Row(i)) != "https://bar.com/" || string(c.UserAgent.Row(i)) != "ua é" || string(c.Nonce.Row(i)) != "pageviews/0/1/1") {
				t.Errorf("row 1: referrer %q, user agent %q, nonce %q", c.Referrer.Row(i), c.UserAgent.Row(i), c.Nonce.Row(i))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pageview", "pageview", "pageview", "refused", "refused", "misplaced", "marker", "refused", "pageview", "refused", "pageview", "pageview"}
	if !slices.Equal(kinds, want) {
		t.Errorf("kinds %v\nwant  %v", kinds, want)
	}
	wantPages := []string{"foo.com/a", "foo.com/b", "foo.com/b", "", "", "foo.com/elsewhere", "", "", "foo.com/", "", "foo.com/next-day", "foo.com/the-day-after"}
	if !slices.Equal(pages, wantPages) {
		t.Errorf("pages %v\nwant  %v", pages, wantPages)
	}
	if !slices.Equal(rerouted, []string{"8 from 0/1/77"}) {
		t.Errorf("rerouted rows are %v", rerouted)
	}
	if !slices.IsSorted(logTimes) || logTimes[2] != 5 {
		t.Errorf("log times %v: want the highest so far", logTimes)
	}
	if n := len(s.Shards[1].Files); n != 3 {
		t.Errorf("%d files for three days", n)
	}
}

// Any range of offsets, across bounds of files and row groups, equals the log.
func TestScanRanges(t *testing.T) {
	l := newLog(1)
	const n = 150_000
	for i := range int64(n) {
		l.view(0, i, fmt.Sprint("p", i%1000), fmt.Sprintf("https://foo.com/%d", i%77))
		if i%5000 == 7 {
			l.mu.records[0][i].Headers = []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: fmt.Appendf(nil, "0/0/%d", 3*i)}}
		}
	}
	l.commit()
	o := openFolder(t)
	m, err := newArchiver(t, o, l, func(c *archive.Config) { c.FileRows = 100_000 }).Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Shards[0].Files) != 2 {
		t.Fatalf("%d files", len(m.Shards[0].Files))
	}
	s, err := archive.New(o).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rerouted := 0
	for _, r := range [][2]int64{{0, n}, {0, 1}, {5, 5}, {99_999, 100_001}, {65_535, 65_537}, {131_072, n}, {12_345, 140_000}} {
		at := r[0]
		err := s.Scan(t.Context(), store.Shard{}, r[0], r[1], archive.Offset|archive.Events, func(c *archive.Columns) error {
			for _, m := range c.Rerouted {
				if o := c.Offset[m.Row]; m.Offset != 3*o || o%5000 != 7 {
					return fmt.Errorf("offset %d is said to be rerouted from %d", o, m.Offset)
				}
				rerouted++
			}
			for i := range c.N {
				if c.Offset[i] != at || c.TS[i] != day0+at || string(c.Page.Row(i)) != fmt.Sprintf("foo.com/%d", at%77) ||
					string(c.Person.Row(i)) != fmt.Sprint("p", at%1000) || string(c.Nonce.Row(i)) != fmt.Sprintf("p%d-%d", at%1000, at) {
					return fmt.Errorf("at %d: offset %d ts %d page %s person %s nonce %s", at, c.Offset[i], c.TS[i], c.Page.Row(i), c.Person.Row(i), c.Nonce.Row(i))
				}
				at++
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		if at != r[1] {
			t.Errorf("%v: ended at %d", r, at)
		}
	}
	if want := 30 + 0 + 0 + 0 + 0 + 3 + 25; rerouted != want {
		t.Errorf("%d rerouted rows, want %d", rerouted, want)
	}
}

func TestEdges(t *testing.T) {
	l := everything(1)
	o := openFolder(t)
	if _, err := newArchiver(t, o, l).Archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := archive.New(o).Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to   archive.EdgePosition
		want string
	}{{s.EdgeEnd(), "[{{0 0} {a b 5 false}} {{0 2} {a b 1795478400000 true}}]"}, {archive.EdgePosition{Offset: 2}, "[{{0 0} {a b 5 false}}]"}, {archive.EdgePosition{}, "[]"}} {
		type said struct {
			at   archive.EdgePosition
			edge event.Edge
		}
		var have []said
		if err := s.Edges(t.Context(), c.to, func(at archive.EdgePosition, e event.Edge) error {
			have = append(have, said{at, e})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(have) != c.want {
			t.Errorf("before %v: %v, want %s", c.to, have, c.want)
		}
	}
}
