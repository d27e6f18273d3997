package query

import (
	"testing"

	"speedlayer/store"
)

// Only changes of what answers are made from make a reading start again; no other
// change of the pointer does. An export takes longer than the interval between two
// signs of life of a run.
func TestAnswersChange(t *testing.T) {
	run := func(n uint32, views string) *store.Run { return &store.Run{Number: n, Views: views} }
	base := store.Pointer{Counter: 7, Current: run(3, "a"), Previous: run(2, "b"), Next: 5, Generations: []uint32{2, 3, 4}, Marked: true}
	for _, c := range []struct {
		what   string
		change func(*store.Pointer)
		want   bool
	}{
		{"nothing", func(*store.Pointer) {}, false},
		{"a sign of life", func(p *store.Pointer) { p.Running = &store.Running{Run: *run(4, ""), Owner: "x", Renewed: 9} }, false},
		{"a number taken", func(p *store.Pointer) { p.Next = 6 }, false},
		{"what no answer reads leaves the list", func(p *store.Pointer) { p.Generations = p.Generations[1:] }, false},
		{"a generation enters the list", func(p *store.Pointer) { p.Generations = []uint32{2, 3, 4, 5} }, true},
		{"a run is complete", func(p *store.Pointer) { p.Current, p.Previous = run(4, "c"), run(3, "a") }, true},
		{"a rollback", func(p *store.Pointer) { p.Current, p.Previous = run(2, "b"), nil }, true},
		{"a rollback to none", func(p *store.Pointer) { p.Current = nil }, true},
		{"views computed again", func(p *store.Pointer) { p.Current = run(3, "c") }, true},
	} {
		now := base
		now.Counter++
		c.change(&now)
		if got := answersChange(&base, &now); got != c.want {
			t.Errorf("%s: changed %v, want %v", c.what, got, c.want)
		}
	}
	if !answersChange(&store.Pointer{}, &base) {
		t.Error("the first run has not changed it")
	}
}
