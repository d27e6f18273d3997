package microbatch

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"speedlayer/queue"
	"speedlayer/store"
)

// lain is a record of a person at home in partition home of few partitions, and in
// home+few of twice as many.
func lain(partition int32, offset int64, home uint32, few int) queue.Position {
	return queue.Position{Partition: partition, Offset: offset, Person: 1<<31 + home + uint32(few)}
}

// A record that lies where it counts is queryable with its own commit; one that is
// rerouted, with its copy's: whatever happens to the log epoch meanwhile.
func TestWaitCounted(t *testing.T) {
	old := store.Epoch{Number: 1, TopicID: "t", Partitions: 2, Starts: []int64{0, 0}}
	more := store.Epoch{Number: 3, TopicID: "t", Partitions: 4, Starts: []int64{10, 20, 0, 0}}
	even := store.Epoch{Number: 5, TopicID: "t", Partitions: 8, Starts: []int64{11, 21, 6, 5, 0, 0, 0, 0}}
	recreated := store.Epoch{Number: 4, TopicID: "u", Partitions: 4, Starts: make([]int64, 4)}
	type step struct {
		ends []int64         // is answered
		do   func(*Progress) // what happens after the answer
	}
	set := func(part int32, offset int64) func(*Progress) {
		return func(p *Progress) { p.Set(part, offset) }
	}
	nothing := func(*Progress) {}
	for name, c := range map[string]struct {
		epoch     store.Epoch
		committed []int64
		record    queue.Position
		steps     []step
		want      error
	}{
		"at home":       {more, []int64{10, 20, 6, 5}, lain(2, 5, 0, 2), nil, nil},
		"not committed": {more, []int64{10, 20, 5, 5}, lain(2, 5, 0, 2), nil, context.Canceled},
		"its copy is committed": {more, []int64{11, 20, 6, 5}, lain(0, 10, 0, 2),
			[]step{{[]int64{99, 99, 7, 99}, set(2, 7)}}, nil},
		"its copy is not committed": {more, []int64{11, 20, 6, 5}, lain(0, 10, 0, 2),
			[]step{{[]int64{11, 20, 7, 5}, nothing}}, context.Canceled},
		"by a producer that knows more": {old, []int64{1, 1}, queue.Position{Partition: 1, Offset: 0, Person: 1<<31 + 4},
			[]step{{[]int64{2, 99}, set(0, 2)}}, nil},
		"of a person that is not known": {more, []int64{11, 20, 6, 5}, queue.Position{Partition: 0, Offset: 10},
			[]step{{[]int64{11, 20, 6, 6}, set(3, 6)}}, nil},
		"of a person that is not known, a copy is not committed": {more, []int64{11, 20, 6, 5}, queue.Position{Partition: 0, Offset: 10},
			[]step{{[]int64{11, 20, 6, 6}, nothing}}, context.Canceled},
		"a broker that knows less": {more, []int64{11, 20, 6, 5}, lain(0, 10, 0, 2),
			[]step{{[]int64{11, 20}, nothing}, {[]int64{11, 20, 7, 5}, set(2, 7)}}, nil},
		// Rerouted by an epoch before, to any partition, and from there once more.
		"committed before": {more, []int64{10, 20, 6, 5}, lain(0, 9, 0, 2),
			[]step{{[]int64{10, 21, 6, 5}, set(1, 21)}, {[]int64{99, 99, 7, 99}, set(2, 7)}}, nil},
		"committed before, its copy is not": {more, []int64{10, 20, 6, 5}, lain(0, 9, 0, 2),
			[]step{{[]int64{10, 21, 6, 5}, nothing}}, context.Canceled},
		"committed before, rerouted on": {more, []int64{10, 20, 6, 5}, lain(0, 9, 0, 2),
			[]step{{[]int64{10, 21, 6, 5}, set(1, 21)}, {[]int64{10, 21, 7, 5}, nothing}}, context.Canceled},
		"another epoch begins": {more, []int64{11, 20, 6, 5}, lain(0, 10, 0, 2), []step{
			{[]int64{11, 20, 7, 5}, func(p *Progress) { p.Begin(even, []int64{11, 21, 7, 5, 0, 0, 0, 0}) }},
			{[]int64{11, 21, 7, 6, 0, 0, 0, 0}, set(3, 6)},
			{[]int64{99, 99, 8, 99, 99, 99, 99, 99}, set(2, 8)}}, nil},
		"the topic was recreated": {more, []int64{11, 20, 6, 5}, lain(0, 10, 0, 2),
			[]step{{[]int64{11, 20, 7, 5}, func(p *Progress) { p.Begin(recreated, recreated.Starts) }}}, errTopicGone},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewProgress(nil)
			p.Begin(c.epoch, c.committed)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if len(c.steps) == 0 {
				cancel() // what is not there at once is not waited for
			}
			n := 0
			err := p.WaitCounted(ctx, []queue.Position{c.record}, func(context.Context) ([]int64, error) {
				if n == len(c.steps) {
					return nil, fmt.Errorf("asked for the ends more than %d times", n)
				}
				s := c.steps[n]
				n++
				s.do(p)
				if n == len(c.steps) {
					cancel()
				}
				return s.ends, nil
			})
			if !errors.Is(err, c.want) || n != len(c.steps) {
				t.Errorf("%v after %d of %d answers, want %v", err, n, len(c.steps), c.want)
			}
		})
	}
}

// An answer of a broker that fails is one to the caller.
func TestWaitCountedFails(t *testing.T) {
	p := NewProgress([]int64{1, 0})
	err := p.WaitCounted(t.Context(), []queue.Position{{Partition: 0, Person: 1<<31 + 1}}, func(context.Context) ([]int64, error) {
		return nil, queue.ErrUnavailable
	})
	if !errors.Is(err, queue.ErrUnavailable) {
		t.Error(err)
	}
}
