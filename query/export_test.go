package query_test

import (
	"errors"
	"testing"
	"time"

	"speedlayer/query"
	"speedlayer/sim/generate"
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
