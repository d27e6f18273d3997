package hbase

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// randomCells makes sorted cells of one generation, each key once.
func randomCells(r *rand.Rand, n int) (cells []store.Cell) {
	for range n {
		url := strings.Repeat("u", r.IntN(3)) + strings.Repeat(string(rune('a'+r.IntN(3))), r.IntN(2)*r.IntN(300))
		cells = append(cells, store.Cell{
			Key:     store.Key{Generation: 7, View: store.ViewID(1 + r.IntN(3)), URL: url, Hour: int32(400_000 + r.IntN(60))},
			Version: r.Int64N(1 << 40), Value: bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(30)), Delta: int32(r.IntN(deltas + 1))})
	}
	slices.SortFunc(cells, func(a, b store.Cell) int { return a.Key.Compare(b.Key) })
	return slices.CompactFunc(cells, func(a, b store.Cell) bool { return a.Key == b.Key })
}

// The encoding contains what was there: each cell once, in the row of its url and
// day, one put a row, in the group of its bucket.
func TestEncode(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 8))
	shard := store.Shard{Epoch: 3, Partition: 12}
	e := new(encoder)
	for range 200 {
		cells := randomCells(r, r.IntN(200))
		regions := 1 << r.IntN(5)
		if err := e.encode(cells, shard, regions); err != nil {
			t.Fatal(err)
		}
		rows := map[string]bool{}
		got := map[store.Key]store.Cell{}
		for _, request := range e.requests() {
			group := -1
			for _, a := range request {
				if rows[string(a.Row)] {
					t.Fatalf("two puts of row %q", a.Row)
				}
				rows[string(a.Row)] = true
				g := strings.IndexByte(hexDigits, a.Row[0]) * regions / buckets
				if group >= 0 && g != group {
					t.Fatalf("one request to groups %d and %d", group, g)
				}
				group = g
				for _, c := range cellsOf(t, a, shard) {
					got[c.Key] = c
				}
			}
		}
		if len(got) != len(cells) {
			t.Fatalf("%d cells, want %d", len(got), len(cells))
		}
		for _, c := range cells {
			g := got[c.Key]
			if g.Version != c.Version || g.Delta != c.Delta || !bytes.Equal(g.Value, c.Value) {
				t.Fatalf("%+v comes back as %+v", c, g)
			}
		}
	}
}

// cellsOf reads a put as a scan would.
func cellsOf(t *testing.T, a client.Action, shard store.Shard) (cells []store.Cell) {
	t.Helper()
	row, err := parseRow(a.Row)
	if err != nil {
		t.Fatal(err)
	}
	for rest := a.Cells; len(rest) > 0; {
		var kv client.KeyValue
		if kv, rest, err = client.NextKeyValue(rest); err != nil {
			t.Fatal(err)
		}
		hour, s, delta, err := parseQualifier(kv.Qualifier)
		if err != nil || s != shard || !bytes.Equal(kv.Row, a.Row) {
			t.Fatalf("%+v in the put of %q: shard %v, %v", kv, a.Row, s, err)
		}
		url, value := row.url, kv.Value
		if row.hashed {
			if url, value, err = urlOfValue(value); err != nil {
				t.Fatal(err)
			}
		}
		var view store.ViewID
		if _, err := fmt.Sscan(string(kv.Family), &view); err != nil {
			t.Fatal(err)
		}
		cells = append(cells, store.Cell{Key: store.Key{Generation: 7, View: view, URL: string(url), Hour: row.day*hoursADay + hour}, Version: int64(kv.Timestamp), Value: value, Delta: delta})
	}
	if len(cells) != a.N {
		t.Fatalf("a put of %d cells says %d", len(cells), a.N)
	}
	return cells
}

// Large batches are split: by rows and by bytes.
func TestRequestsAreBounded(t *testing.T) {
	var cells []store.Cell
	for i := range 3 * client.MaxRequestRows {
		cells = append(cells, store.Cell{Key: store.Key{View: 1, URL: fmt.Sprintf("u%06d", i)}, Value: make([]byte, 1000)})
	}
	e := new(encoder)
	if err := e.encode(cells, store.Shard{}, 1); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, request := range e.requests() {
		bytes := 0
		for _, a := range request {
			bytes += len(a.Cells)
		}
		if len(request) > client.MaxRequestRows || bytes > requestBytes {
			t.Errorf("a request of %d rows and %d bytes", len(request), bytes)
		}
		n += len(request)
	}
	if n != len(cells) {
		t.Errorf("%d rows, want %d", n, len(cells))
	}
}

// A cell that a region server would refuse is refused before it is sent.
func TestTooLarge(t *testing.T) {
	cells := []store.Cell{{Key: store.Key{View: 1, URL: "a/"}, Value: make([]byte, client.MaxCellBytes)}}
	if err := new(encoder).encode(cells, store.Shard{}, 1); err == nil || !strings.Contains(err.Error(), "allowed are 10485760") {
		t.Errorf("a cell of 10 MiB and more: %v", err)
	}
	if err := client.CheckSize(make([]byte, client.MaxRowBytes+1)); err == nil {
		t.Error("a row key that is too long is taken")
	}
}

func FuzzKeyValue(f *testing.F) {
	f.Add(client.AppendKeyValue(nil, []byte("row"), "1", []byte("09/0/3"), 77, []byte("value")))
	f.Add([]byte{0, 0, 0, 200, 0, 0, 0, 12, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		kv, rest, err := client.NextKeyValue(b)
		if err != nil {
			return
		}
		again := client.AppendKeyValue(nil, kv.Row, string(kv.Family), kv.Qualifier, kv.Timestamp, kv.Value)
		back, none, err := client.NextKeyValue(again)
		if err != nil || len(none) > 0 || !bytes.Equal(back.Row, kv.Row) || !bytes.Equal(back.Value, kv.Value) ||
			!bytes.Equal(back.Family, kv.Family) || !bytes.Equal(back.Qualifier, kv.Qualifier) || back.Timestamp != kv.Timestamp {
			t.Fatalf("%x (rest %x): %+v comes back as %+v, %v", b, rest, kv, back, err)
		}
	})
}
