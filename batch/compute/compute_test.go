package compute_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/compute"
	"speedlayer/batch/views"
	"speedlayer/event"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// A run holds what the oracle computes, cell by cell, for random small logs of
// several epochs of the topic, with any vector and any amount of memory.
func TestRunIsTheOracles(t *testing.T) {
	r := seeded(t)
	for range worlds {
		w := newWorld(t, r)
		for range 1 + r.IntN(3) {
			w.incarnation(1+r.Int32N(3), 1+r.IntN(500))
		}
		for range r.IntN(20) {
			w.edge()
		}
		in := w.input(w.vector(r.IntN(2) == 0))
		in.FS = vfs.NewMem()
		in.MemoryBytes = []int64{1, 100_000, 64 << 20}[r.IntN(3)]
		in.Workers = 1 + r.IntN(3)
		dir, err := compute.Run(t.Context(), in)
		must(t, err)
		check(t, in.FS, dir, w.oracle(in.Vector), in)
	}
}

// check compares a run with the oracle.
func check(t *testing.T, fs vfs.FS, dir string, want *oracle.Batch, in compute.Input) {
	t.Helper()
	v, err := views.OpenFS(fs, dir)
	must(t, err)
	defer func() { must(t, v.Close()) }()
	must(t, v.Verify(t.Context()))
	if v.Run().Number != in.Number || len(v.Run().Vector) != len(in.Vector) {
		t.Fatalf("run %+v", v.Run())
	}
	if got := v.Info()["events"]; got != fmt.Sprint(want.Events()) {
		t.Errorf("%s events, the oracle says %d", got, want.Events())
	}
	for _, e := range in.Edges {
		for _, id := range []string{e.ID1, e.ID2} {
			h := event.PersonHash([]byte(id))
			if v.Canonical(h) != want.Canonical(h) {
				t.Fatalf("the canonical person of %s is %x, not %x", id, v.Canonical(h), want.Canonical(h))
			}
		}
	}
	cells := want.Cells()
	for view := views.Pageviews; view <= views.Bounces; view++ {
		for _, g := range views.Granularities {
			must(t, v.ScanURLs(context.Background(), view, g, "", "", 0, 1<<30, func(url []byte, bucket int32, value []byte) error {
				k := oracle.BatchKey{View: oracle.View(view), URL: string(url), Hours: g.Hours(), Begin: bucket * g.Hours()}
				c, ok := cells[k]
				if !ok {
					return fmt.Errorf("%+v: the oracle has no such cell", k)
				}
				delete(cells, k)
				return same(view, c, value)
			}))
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(cells), oracle.BatchKey.Compare) {
		t.Fatalf("%+v is missing: the oracle has %.300v", k, cells[k])
	}
}

func same(view store.ViewID, want oracle.BatchValue, value []byte) error {
	if view == views.Bounces {
		got, err := views.DecodeVisits(value)
		if err == nil && got != (views.Visits{Raw: want.Raw, RawBounces: want.RawBounces, Canonical: want.Canonical, CanonicalBounces: want.CanonicalBounces}) {
			err = fmt.Errorf("visits %+v, the oracle says %+v", got, want)
		}
		return err
	}
	o := oracle.Value{Pageviews: want.Pageviews, Hashes: want.Hashes, Registers: want.Registers}
	if b := o.Bytes(oracle.View(view)); !bytes.Equal(b, value) {
		return fmt.Errorf("view %d: %.100x, the oracle says %.100x", view, value, b)
	}
	return nil
}
