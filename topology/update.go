package topology

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// States is the result of Update.
type States[S any] struct {
	step  *step
	codec Codec[S]
}

// Update keeps a state for each key, and changes it by each of the key's events, in
// their order: next(state, event) is the state after the event, and the zero value of
// S the state before the first one. All events of a key are in one partition: the By
// before it forwards them there, as values encodes them.
//
// next and both codecs must be pure, and next must not change what the state given
// to it points to, unless it returns that. If next fails (panics), processing stops
// with the name of the step: state is never skipped.
func Update[T, S any](in *Grouped[T], name string, values Codec[T], states Codec[S], next func(state S, event T) S) *States[S] {
	s := update(in, "update", name, func(v T) T { return v }, values, states, next)
	return &States[S]{s, states}
}

func update[T, V, S any](in *Grouped[T], what, name string, pick func(T) V, values Codec[V], states Codec[S], next func(S, V) S) *step {
	s := follow(in.stepOf(), what, name, next == nil || pick == nil)
	if s.after("remember") {
		s.t.wrong(s, "%s cannot follow a Remember", what)
	}
	if !values.complete() || !states.complete() {
		s.t.wrong(s, "a codec has no Append or no Decode")
	}
	stage := in.step.shuffle()
	s.keep(stage, stateView, in.hours, func() kind { return &stateKind[V, S]{states: states, next: next} })
	s.apply = func(r *run, s *step, key string, hour int32, value []byte) error {
		v, err := values.Decode(value)
		if err != nil {
			return err
		}
		k := r.kinds[s.cell].(*stateKind[V, S])
		k.values = append(k.values, v)
		r.change(s, key, hour, int64(len(k.values)-1))
		return nil
	}
	in.out = append(in.out, func(r *run, key string, hour int32, v T) {
		r.at = s
		r.scratch = values.Append(r.scratch[:0], pick(v))
		r.forward(stage, s, key, hour, r.scratch)
	})
	return s
}

// stateKind holds states, and the events that wait to be applied.
type stateKind[V, S any] struct {
	states Codec[S]
	next   func(S, V) S
	cells  table[state[S]]
	values []V
	taken  int // of values: those of events that were taken
}

// state is a state and the length of its bytes when it was last decoded or encoded.
type state[S any] struct {
	s    S
	size int
}

// stateSize is about the memory of a state besides its bytes.
const stateSize = 64

func (k *stateKind[V, S]) open() int64 { return k.cells.add(state[S]{}) }

func (k *stateKind[V, S]) apply(n *int64, arg int64) (bool, error) {
	c := &k.cells.all[*n]
	c.s = k.next(c.s, k.values[arg])
	return true, nil
}

func (k *stateKind[V, S]) fill(value []byte) (int64, error) {
	s, err := k.states.Decode(value)
	return k.cells.add(state[S]{s, len(value)}), err
}

func (k *stateKind[V, S]) encode(dst []byte, n int64) []byte {
	c := &k.cells.all[n]
	at := len(dst)
	dst = k.states.Append(dst, c.s)
	c.size = len(dst) - at
	return dst
}

func (k *stateKind[V, S]) drop(n int64)     { k.cells.drop(n) }
func (k *stateKind[V, S]) size(n int64) int { return stateSize + k.cells.all[n].size }
func (k *stateKind[V, S]) begin()           { k.values = k.values[:k.taken] }
func (k *stateKind[V, S]) took(live bool) {
	if live {
		k.taken = len(k.values)
	}
}

func (k *stateKind[V, S]) ran() {
	clear(k.values)
	k.values, k.taken = k.values[:0], 0
}

// TopsBy is the result of TopBy.
type TopsBy struct {
	step *step
	n    int
}

// TopBy is, for each key, the n values that occur most often among its events, the
// most frequent first; of equal counts, the lower value by its bytes. It is exact:
// the state of a key counts all of its values, of which there should be thousands at
// most.
func TopBy[T any](in *Grouped[T], name string, n int, value func(T) string) *TopsBy {
	s := update(in, "topby", name, value, Text, tallies, func(t tally, v string) tally { return t.add(v) })
	if n < 1 || n > MaxTop {
		s.t.wrong(s, "the first %d: allowed are 1 to %d", n, MaxTop)
	}
	s.detail = itoa(n)
	return &TopsBy{s, n}
}

// tally counts values.
type tally map[string]uint64

func (t tally) add(v string) tally {
	if t == nil {
		t = tally{}
	}
	t[v]++
	return t
}

// tallies are sorted by value: n, then value and count each.
var tallies = Codec[tally]{
	Name: "tally",
	Append: func(dst []byte, t tally) []byte {
		dst = binary.AppendUvarint(dst, uint64(len(t)))
		for _, v := range slices.Sorted(maps.Keys(t)) {
			dst = binary.AppendUvarint(appendSized(dst, v), t[v])
		}
		return dst
	},
	Decode: func(b []byte) (tally, error) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)) {
			return nil, fmt.Errorf("%w: a tally is cut off", errCell)
		}
		t := make(tally, n)
		for b = b[size:]; len(b) > 0; {
			v, rest, err := sized(b)
			if err != nil {
				return nil, err
			}
			count, size := binary.Uvarint(rest)
			if size <= 0 {
				return nil, fmt.Errorf("%w: a tally is cut off", errCell)
			}
			t[string(v)], b = count, rest[size:]
		}
		if len(t) != int(n) {
			return nil, fmt.Errorf("%w: a tally of %d has %d values", errCell, n, len(t))
		}
		return t, nil
	},
}
