package oracle

import (
	"math"
	"testing"

	"speedlayer/crdt"
)

// TestBytesAreThoseOfCells holds the format written down here against the code
// that writes cells. (Only this test knows that code.)
func TestBytesAreThoseOfCells(t *testing.T) {
	for _, n := range []uint64{0, 1, 127, 128, math.MaxUint64} {
		same(t, Pageviews, Value{Pageviews: n}, crdt.AppendCount(nil, n))
	}
	for _, d := range []int64{0, 1, -1, 64, -65, math.MaxInt64, math.MinInt64} {
		same(t, Bounces, Value{Visits: d, Bounces: -d}, crdt.VisitCount{Visits: d, Bounces: -d}.Append(nil))
	}
	var theirs crdt.Visitors
	ours := visitors{hashes: map[uint64]bool{}}
	for i := range uint64(5000) {
		h := i * i * 0x9e3779b97f4a7c15
		if changed := theirs.Add(h); changed != ours.grows(h) {
			t.Fatalf("visitor %d: the cell changed: %v", i, changed)
		} else if changed {
			ours.add(h, 2048)
		}
		if i < 4 || i%500 == 0 || i >= 2045 && i < 2052 {
			var v Value
			v.Hashes, v.Registers = ours.value()
			same(t, Uniques, v, theirs.Append(nil))
		}
	}
}

func same(t *testing.T, view View, v Value, want []byte) {
	t.Helper()
	if got := v.Bytes(view); string(got) != string(want) {
		t.Fatalf("view %d, %v: %x, want %x", view, v, got[:min(60, len(got))], want[:min(60, len(want))])
	}
	if back, err := ParseValue(view, want); err != nil || !back.Equal(v) {
		t.Fatalf("view %d, %v comes back as %v, %v", view, v, back, err)
	}
}

func TestParseValueRejects(t *testing.T) {
	for _, c := range []struct {
		view  View
		bytes string
	}{
		{Pageviews, ""}, {Pageviews, "\x80"}, {Pageviews, "\x01\x01"}, {Pageviews, "\x80\x00"},
		{Bounces, ""}, {Bounces, "\x02"}, {Bounces, "\x02\x02\x02"}, {Bounces, "\x80"},
		{Uniques, ""}, {Uniques, "\x01\x01"}, {Uniques, "\x02"}, {Uniques, "\x03"},
		{Uniques, "\x01\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"}, {4, "\x01"},
	} {
		if v, err := ParseValue(c.view, []byte(c.bytes)); err == nil {
			t.Errorf("view %d, %x is %v", c.view, c.bytes, v)
		}
	}
}
