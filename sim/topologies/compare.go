package topologies

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"speedlayer/store"
	"speedlayer/topology"
)

// compare asks for all results, and compares them with the oracle's.
func (w *world) compare() {
	if w.failure != nil {
		return
	}
	var stores []store.Store
	for _, g := range w.stages {
		stores = append(stores, g.store)
	}
	s, err := topology.Read(context.Background(), w.topology, stores)
	if err != nil {
		w.fail("no results: %v", err)
		return
	}
	for i := range w.handles {
		b := &w.def.bys[i]
		want := w.def.want(b, w.events)
		for c := range want.counts {
			if err := w.compareCell(s, &w.handles[i], b, c, &want); err != nil {
				w.fail("by %d, %q, hour %d: %w", i, c.key, c.hour, err)
			}
		}
		if h := w.handles[i].counts; h != nil {
			if err := compareAll(s, &w.handles[i], &want); err != nil {
				w.fail("by %d: %w", i, err)
			}
		}
	}
}

func (w *world) compareCell(s *topology.Snapshot, h *handles, b *byDef, c cellOf, want *wanted) error {
	ctx := context.Background()
	r, hour := topology.Range{}, int32(0)
	if b.hourly {
		hour = int32(c.hour)
		r = topology.Range{From: hour, To: hour + 1}
	}
	w.cov.Compared++
	var errs []error
	same := func(what string, got, want any, err error) {
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			errs = append(errs, fmt.Errorf("%s is %v (%v), want %v", what, got, err, want))
		}
	}
	if h.counts != nil {
		n, err := h.counts.Get(ctx, s, c.key, r)
		same("count", n, want.counts[c], err)
	}
	if h.sums != nil {
		n, err := h.sums.Get(ctx, s, c.key, r)
		same("sum", n, want.sums[c], err)
	}
	if h.sets != nil {
		e, err := h.sets.Get(ctx, s, c.key, r)
		same("unique", e.N, len(want.words[c]), err)
	}
	if h.often != nil {
		top, err := h.often.Get(ctx, s, c.key, r)
		same("often", top, firstTwo(want.words[c]), err)
	}
	if h.lists != nil {
		ids, _, err := h.lists.Get(ctx, s, c.key, hour)
		if err == nil {
			err = w.checkList(ids, want.lists[c])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("list %v: %w", ids, err))
		}
	}
	return errors.Join(errs...)
}

// checkList: each event's items once, together and in their order; and events that
// lay in one partition, in the order in which they lay there.
func (w *world) checkList(ids []int, want map[int][]int) error {
	last := map[int]int64{}
	seen := map[int]bool{}
	for len(ids) > 0 {
		number := ids[0] / 1000
		items := want[number]
		if len(items) == 0 || seen[number] || len(ids) < len(items) || !slices.Equal(ids[:len(items)], items) {
			return fmt.Errorf("event %d, want its items %v once", number, items)
		}
		seen[number] = true
		ids = ids[len(items):]
		e := w.events[number-1]
		if e.wrong {
			continue
		}
		if at, some := last[e.part]; some && at >= e.offset {
			return fmt.Errorf("event %d comes after one at offset %d of its partition, and lay at %d", number, at, e.offset)
		}
		last[e.part] = e.offset
	}
	if len(seen) != len(want) {
		return fmt.Errorf("%d events, want %d", len(seen), len(want))
	}
	return nil
}

// compareAll compares the results over all keys.
func compareAll(s *topology.Snapshot, h *handles, want *wanted) error {
	ctx := context.Background()
	counts := map[string]int{}
	for c, n := range want.counts {
		counts[c.key] += n
	}
	got, before := 0, ""
	for e, err := range h.counts.All(ctx, s, topology.Range{}) {
		if err != nil || counts[e.Key] != int(e.Count) || got > 0 && e.Key <= before {
			return fmt.Errorf("all counts have %q: %d after %q (%v), want %d", e.Key, e.Count, before, err, counts[e.Key])
		}
		got, before = got+1, e.Key
	}
	if got != len(counts) {
		return fmt.Errorf("all counts have %d keys, want %d", got, len(counts))
	}
	top, err := h.top.Get(ctx, s, topology.Range{})
	if want := firstTwo(counts); err != nil || fmt.Sprint(top) != fmt.Sprint(want) {
		return fmt.Errorf("top is %v (%v), want %v", top, err, want)
	}
	return nil
}
