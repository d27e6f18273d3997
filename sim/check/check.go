// Package check compares a store, and answers from it, with the oracle: what the
// simulations of crashes and of days look at.
package check

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// Record compares a commit row with what the oracle counts, which has had the
// shard's log up to there.
func Record(c store.ShardCommit, o *oracle.Oracle) error {
	want := o.Counts()
	if o.Next() == c.Commit.Offset && bytes.Equal(want.Append(nil), c.Commit.Record) {
		return nil
	}
	got, err := store.DecodeCommitRecord(c.Commit.Record)
	return fmt.Errorf("%v is committed at %d with\n%+v, the log says at %d\n%+v (%v)", c.Shard, c.Commit.Offset, got, o.Next(), want, err)
}

// Cells compares every cell of generations with the oracles: none is missing, none
// is too many, and each has its version and its bytes. The version of a set of
// visitors may be higher, up to the commit.
func Cells(ctx context.Context, r store.Reader, generations []uint32, oracles map[store.Shard]*oracle.Oracle) error {
	type cell struct {
		store.Shard
		oracle.CellKey
	}
	want := map[cell]bool{}
	for shard, o := range oracles {
		for _, k := range o.Keys() {
			if slices.Contains(generations, k.Generation) {
				want[cell{shard, k}] = true
			}
		}
	}
	for _, g := range generations {
		for v := oracle.Pageviews; v <= oracle.Bounces; v++ {
			err := r.Scan(ctx, store.Range{Generation: g, View: store.ViewID(v), Prefix: true, To: math.MaxInt32}, func(c *store.ScanCell) error {
				k := cell{c.Shard, oracle.CellKey{Generation: g, View: v, URL: string(c.URL), Hour: c.Hour}}
				if !want[k] {
					return fmt.Errorf("cell %+v at version %d should not be there", k, c.Version)
				}
				delete(want, k)
				w, _ := oracles[c.Shard].Cell(k.CellKey)
				// A set that was put without being read may have the version of a later
				// event of one of its members.
				version := c.Version
				if v == oracle.Uniques && version <= oracles[c.Shard].Next() {
					version = min(version, w.Version.Version)
				}
				if b := w.Value.Bytes(v); version != w.Version.Version || !bytes.Equal(b, c.Value) {
					return fmt.Errorf("cell %+v is %x at version %d, not %x at version %d", k, c.Value, c.Version, b, w.Version.Version)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	for k := range want {
		return fmt.Errorf("cell %+v is missing", k)
	}
	return nil
}

// Export compares everything that an engine answers with the oracle's answers.
func Export(ctx context.Context, e *query.Engine, want []oracle.Line) error {
	err := e.Export(ctx, query.ExportQuery{}, func(c query.Cell) error {
		if len(want) == 0 {
			return fmt.Errorf("the answers have one more: %s", text(&c))
		}
		if !same(&c, &want[0]) {
			return fmt.Errorf("the answer is %s, want %+v", text(&c), want[0])
		}
		want = want[1:]
		return nil
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("the answers lack %d cells, the first is %+v", len(want), want[0])
	}
	return err
}

func same(c *query.Cell, want *oracle.Line) bool {
	if c.URL != want.URL || c.Hour != event.FormatTime(int64(want.Hour)*3600_000) {
		return false
	}
	switch want.View {
	case oracle.Pageviews:
		return c.Pageviews != nil && *c.Pageviews == want.Pageviews
	case oracle.Uniques:
		return c.Visitors != nil && *c.Visitors == want.Visitors.Count && *c.Exact == want.Visitors.Exact
	case oracle.Bounces: // what is not remembered may leave less than nothing
		visits := max(0, want.Visits)
		return c.Visits != nil && *c.Visits == visits && *c.Bounces == min(max(0, want.Bounces), visits)
	}
	return false
}

func text(c *query.Cell) string {
	return fmt.Sprintf("%s %s %s (%v %v %v %v)", c.View, c.URL, c.Hour, num(c.Pageviews), num(c.Visitors), num(c.Visits), num(c.Bounces))
}

func num[T any](n *T) any {
	if n == nil {
		return "-"
	}
	return *n
}
