package topology

import (
	"time"

	"speedlayer/record"
)

// Grouped is a stream whose events have a key, and an hour if there are windows.
type Grouped[T any] struct {
	step  *step
	hours bool
	out   []func(r *run, key string, hour int32, v T)
}

// Window reports which hour an event belongs to.
type Window[T any] struct{ at func(T) time.Time }

// Hours gives steps a cell for each key and hour, by the time of the event. Answers
// are for any range of hours, and by hour, day, week or month. Times before 1970 are
// rejected.
func Hours[T any](at func(T) time.Time) Window[T] { return Window[T]{at} }

// Itself is the key function of events that are their own keys.
func Itself(v string) string { return v }

// By groups events by a key, of at most MaxKey bytes of any kind. Without a window
// there is one cell for each key.
func By[T any](in *Stream[T], name string, key func(T) string, windows ...Window[T]) *Grouped[T] {
	g := &Grouped[T]{step: follow(in.stepOf(), "by", name, key == nil)}
	var at func(T) time.Time
	for _, w := range windows {
		if g.hours || w.at == nil {
			g.step.t.wrong(g.step, "By takes one window, with a function that gives the time of an event")
		}
		g.hours, at = true, w.at
	}
	if g.step.detail = "key"; g.hours {
		g.step.detail = "key and hour"
	}
	in.out = append(in.out, func(r *run, v T) {
		r.at = g.step
		k, hour := key(v), int32(0)
		if len(k) > MaxKey {
			r.reject("a key of %d bytes: allowed is %d", len(k), MaxKey)
			return
		}
		if at != nil {
			s := at(v).Unix()
			if s < 0 || s >= 1<<31*3600 {
				r.reject("time %v: allowed are hours from 1970 on", at(v))
				return
			}
			hour = int32(s / 3600)
		}
		for _, f := range g.out {
			f(r, k, hour, v)
		}
	})
	return g
}

// MaxKey bounds the bytes of a key.
const MaxKey = MaxRecord

// stepOf is the step of a group, nil if there is no group.
func (g *Grouped[T]) stepOf() *step {
	if g == nil {
		return nil
	}
	return g.step
}

// shuffle makes the By forward events to the partition of their key, and returns the
// stage that works on them.
func (s *step) shuffle() *stage {
	if s.target == nil {
		s.target = &stage{number: len(s.t.stages), topic: s.t.name + "-" + s.name, by: s}
		s.t.stages = append(s.t.stages, s.target)
	}
	return s.target
}

// partitionOf is the partition of a key in a topic of the topology's own.
func partitionOf(key string, partitions int32) int32 {
	return record.PartitionOf([]byte(key), partitions)
}
