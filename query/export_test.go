package query_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"speedlayer/query"
	"speedlayer/sim/generate"
	"speedlayer/store"
)

// TestExportBlocks: however small the blocks, an export of two generations is
// the same.
func TestExportBlocks(t *testing.T) {
	w, want := generated(t, generate.Config{Events: 3_000, Seed: 5, URLs: 60, Persons: 300, Domains: 5, Span: 50 * time.Hour, Edges: 0.02}, true)
	lines := want.Export(0, 1<<30)
	for _, bytes := range []int{1, 500, 10_000, 1 << 20} {
		w.engine.SetExportBlock(bytes)
		compareExport(t, w.engine, lines)
	}
	stop := errors.New("enough")
	n := 0
	err := w.engine.Export(t.Context(), query.ExportQuery{View: "uniques"}, func(c query.Cell) error {
		if n++; c.View != "uniques" {
			t.Fatal(c)
		}
		if n == 3 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 3 {
		t.Fatal(n, err)
	}
}

// scans counts the scans that an export makes.
type scans struct {
	store.Store
	n, cells, bytes int
}

type countedReader struct {
	store.Reader
	s *scans
}

func (s *scans) Read(ctx context.Context) (store.Reader, error) {
	r, err := s.Store.Read(ctx)
	return countedReader{r, s}, err
}

func (r countedReader) Scan(ctx context.Context, rg store.Range, fn func(*store.ScanCell) error) error {
	r.s.n++
	return r.Reader.Scan(ctx, rg, func(c *store.ScanCell) error {
		r.s.cells++
		r.s.bytes += len(c.Value)
		return fn(c)
	})
}

// An export that does not fit into memory reads little more than the existing cells,
// in few scans: on HBase each scan takes round trips.
func TestExportReadsNothingOften(t *testing.T) {
	w, want := generated(t, generate.Config{Events: 3_000, Seed: 6, URLs: 60, Persons: 300, Domains: 5, Span: 50 * time.Hour}, true)
	counted := &scans{Store: w.store}
	engine := query.New(query.Config{Store: counted, Edges: w.edges, Now: func() time.Time { return w.now }, LogEnds: w.logEnds, Append: w.appendEdge, Batch: w.layer.Open})
	lines := want.Export(0, 1<<30)
	compareExport(t, engine, lines)
	whole := *counted
	if whole.cells < 1000 {
		t.Fatalf("%d cells are too few to say anything", whole.cells)
	}
	for _, blocks := range []int{4, 20} {
		*counted = scans{Store: w.store}
		engine.SetExportBlock((whole.bytes + 48*whole.cells) / blocks)
		compareExport(t, engine, lines)
		// A block of three sources takes a third at least from one of them.
		if most := (3*blocks + 3) * 2 * 2; counted.n > most || counted.cells > 3*whole.cells {
			t.Errorf("%d blocks: %d scans of %d cells, want %d of %d at most", blocks, counted.n, counted.cells, most, 3*whole.cells)
		}
		t.Logf("%d blocks: %d scans of %d cells; in one block %d of %d", blocks, counted.n, counted.cells, whole.n, whole.cells)
	}
}
