package topology

import (
	"fmt"
	"iter"
)

// Stream is the events that leave a step. Any number of steps may follow it, and
// each gets all of them.
type Stream[T any] struct {
	step *step
	out  []func(r *run, v T)
}

func (s *Stream[T]) emit(r *run, v T) {
	for _, f := range s.out {
		f(r, v)
	}
}

// stepOf is the step of a stream, nil if there is no stream.
func (s *Stream[T]) stepOf() *step {
	if s == nil {
		return nil
	}
	return s.step
}

// SourceOption changes how a source's records are taken.
type SourceOption[T any] struct{ nonce, owner func(T) string }

// Nonce makes records with the same nonce one event: the first in the log counts. So
// a producer may send a record again when it does not know whether it arrived. The
// nonce has 1 byte or more; an event whose nonce is "" is not compared with others.
// Records are remembered for an hour of log time, or 512 Ki of them in each partition.
func Nonce[T any](of func(T) string) SourceOption[T] { return SourceOption[T]{nonce: of} }

// Owner gives each event an owner, whose events all lie in one partition: what lies in
// another one is rerouted. Without it, an event's owner is its nonce, if it has one.
func Owner[T any](of func(T) string) SourceOption[T] { return SourceOption[T]{owner: of} }

// Source begins a topology: the records of a topic with its name, decoded. A record
// that cannot be decoded is rejected. A topology has one source.
func Source[T any](t *Topology, name string, codec Codec[T], options ...SourceOption[T]) *Stream[T] {
	s := &Stream[T]{step: t.add(nil, "source", name, !codec.complete())}
	s.step.detail = codec.Name
	if t.source != nil {
		t.wrong(s.step, "there is another source, %s: a topology has one", t.source.name)
		return s
	}
	t.source, t.stages[0].topic = s.step, name
	var nonce, owner func(T) string
	for _, o := range options {
		if o.nonce != nil {
			nonce = o.nonce
		}
		if o.owner != nil {
			owner = o.owner
		}
	}
	if t.nonces = nonce != nil; owner == nil {
		owner = nonce
	}
	if owner != nil {
		t.key = func(value []byte) []byte {
			v, err := codec.Decode(value)
			if err != nil {
				return nil
			}
			return []byte(owner(v))
		}
	}
	t.decode = func(r *run, value []byte) (of, id []byte, err error) {
		r.at = s.step
		v, err := codec.Decode(value)
		if err != nil {
			return nil, nil, fmt.Errorf("step %s: %w", name, err)
		}
		if owner != nil {
			of = some(&r.owner, owner(v))
		}
		if nonce != nil {
			id = some(&r.nonce, nonce(v))
		}
		s.emit(r, v)
		return of, id, r.err
	}
	return s
}

// Map gives f of each event.
func Map[T, U any](in *Stream[T], name string, f func(T) U) *Stream[U] {
	s := &Stream[U]{step: follow(in.stepOf(), "map", name, f == nil)}
	in.out = append(in.out, func(r *run, v T) {
		r.at = s.step
		s.emit(r, f(v))
	})
	return s
}

// Filter gives the events for which keep returns true.
func Filter[T any](in *Stream[T], name string, keep func(T) bool) *Stream[T] {
	s := &Stream[T]{step: follow(in.stepOf(), "filter", name, keep == nil)}
	in.out = append(in.out, func(r *run, v T) {
		r.at = s.step
		if keep(v) {
			s.emit(r, v)
		}
	})
	return s
}

// FlatMap gives every element of f of each event, in order.
func FlatMap[T, U any](in *Stream[T], name string, f func(T) []U) *Stream[U] {
	s := &Stream[U]{step: follow(in.stepOf(), "flatmap", name, f == nil)}
	in.out = append(in.out, func(r *run, v T) {
		r.at = s.step
		for _, u := range f(v) {
			s.emit(r, u)
		}
	})
	return s
}

// FlatMapSeq is FlatMap of a function that returns an iterator, which needs no
// memory for a list: strings.FieldsSeq is one.
func FlatMapSeq[T, U any](in *Stream[T], name string, f func(T) iter.Seq[U]) *Stream[U] {
	s := &Stream[U]{step: follow(in.stepOf(), "flatmap", name, f == nil)}
	in.out = append(in.out, func(r *run, v T) {
		r.at = s.step
		for u := range f(v) {
			s.emit(r, u)
		}
	})
	return s
}

// some is a text as bytes in a buffer, nil if it is empty.
func some(buf *[]byte, text string) []byte {
	if text == "" {
		return nil
	}
	*buf = append((*buf)[:0], text...)
	return *buf
}
