package topology

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Memory says what Remember keeps of the past, and for how long. It is operator state:
// it lies in memory and in snapshots, so it should be small.
type Memory[S any] struct {
	States Codec[S]
	// Window is how long a key is remembered after its last event, in log time.
	Window time.Duration
	// Entries is how many keys a partition remembers at most. Those whose last event
	// came longest ago go first.
	Entries int
}

// Remember gives what next makes of each event, and of what it remembers of the
// event's key: next(state, event) returns the state after the event and the events
// that follow. The state of a key that is not remembered is the zero value of S.
//
// It remembers within a partition. All events of a key must lie in one: let the option
// Owner of the source give them the same owner. Events come in the order of the log.
//
// next must be pure, and must not change what the state given to it points to, unless
// it returns that. If next fails (panics), or a step that follows, processing stops
// with the name of the step. Count, Sum and Unique may follow, not Update, TopBy and
// another Remember.
func Remember[T, S, U any](in *Stream[T], name string, key func(T) string, m Memory[S], next func(state S, event T) (S, []U)) *Stream[U] {
	s := &Stream[U]{step: follow(in.stepOf(), "remember", name, key == nil || next == nil)}
	t := s.step.t
	s.step.detail = fmt.Sprintf("%v, %d keys", m.Window, m.Entries)
	switch {
	case !m.States.complete():
		t.wrong(s.step, "a codec has no Append or no Decode")
	case m.Window <= 0 || m.Entries < 1:
		t.wrong(s.step, "it remembers %d keys for %v: allowed are 1 or more, for a time above 0", m.Entries, m.Window)
	case s.step.from.after("remember"):
		t.wrong(s.step, "a Remember cannot follow another one")
	}
	at := len(t.memories)
	t.memories = append(t.memories, s.step)
	s.step.memory = func() memory {
		return &keyMemory[T, S, U]{out: s, key: key, limits: m, next: next, keys: map[string]*remembered[S]{}}
	}
	in.out = append(in.out, func(r *run, v T) {
		k := r.memories[at].(*keyMemory[T, S, U])
		k.values = append(k.values, v)
		r.later = append(r.later, later{int32(at), int64(len(k.values) - 1)})
	})
	return s
}

// after reports whether the step is one of a kind, or comes after one.
func (s *step) after(what string) bool {
	for at := s; at != nil; at = at.from {
		if at.what == what {
			return true
		}
	}
	return false
}

// memory is what a Remember keeps within one operator.
type memory interface {
	// run applies an event that waits, at log time now in ms. Only if the event is live
	// do the steps that follow run.
	run(r *run, arg, now int64)
	// Values of events wait from Decode to Run; see kind.
	begin()
	took()
	ran()
	appendState(dst []byte) []byte
	loadState(b []byte) error
}

// later is an event that waits in a memory.
type later struct {
	memory int32
	arg    int64
}

// keyMemory is a memory: a map, and a list in the order of the last events.
type keyMemory[T, S, U any] struct {
	out    *Stream[U]
	key    func(T) string
	limits Memory[S]
	next   func(S, T) (S, []U)

	keys           map[string]*remembered[S]
	oldest, newest *remembered[S]
	values         []T
	taken          int
}

type remembered[S any] struct {
	key          string
	state        S
	touched      int64 // log time of the last event
	older, newer *remembered[S]
}

func (k *keyMemory[T, S, U]) run(r *run, arg, now int64) {
	r.at = k.out.step
	v := k.values[arg]
	for k.oldest != nil && k.oldest.touched < now-k.limits.Window.Milliseconds() {
		k.forget(k.oldest)
	}
	key := k.key(v)
	m := k.keys[key]
	if m == nil {
		m = &remembered[S]{key: string(append([]byte(nil), key...))} // not a part of a whole record
		k.keys[m.key] = m
	} else {
		k.unlink(m)
	}
	k.link(m, now)
	var out []U
	m.state, out = k.next(m.state, v)
	for len(k.keys) > k.limits.Entries {
		k.forget(k.oldest)
	}
	if r.live {
		for _, u := range out {
			k.out.emit(r, u)
		}
	}
}

// link makes a key the newest.
func (k *keyMemory[T, S, U]) link(m *remembered[S], now int64) {
	m.touched, m.older, m.newer = now, k.newest, nil
	if k.newest != nil {
		k.newest.newer = m
	} else {
		k.oldest = m
	}
	k.newest = m
}

func (k *keyMemory[T, S, U]) unlink(m *remembered[S]) {
	if m.older != nil {
		m.older.newer = m.newer
	} else {
		k.oldest = m.newer
	}
	if m.newer != nil {
		m.newer.older = m.older
	} else {
		k.newest = m.older
	}
}

func (k *keyMemory[T, S, U]) forget(m *remembered[S]) {
	k.unlink(m)
	delete(k.keys, m.key)
}

func (k *keyMemory[T, S, U]) begin() { k.values = k.values[:k.taken] }
func (k *keyMemory[T, S, U]) took()  { k.taken = len(k.values) }
func (k *keyMemory[T, S, U]) ran() {
	clear(k.values)
	k.values, k.taken = k.values[:0], 0
}

// appendState appends the keys, the oldest first: key, log time as a varint, state;
// key and state behind their length.
func (k *keyMemory[T, S, U]) appendState(dst []byte) []byte {
	var buf []byte
	for m := k.oldest; m != nil; m = m.newer {
		dst = appendSized(dst, m.key)
		dst = binary.AppendVarint(dst, m.touched)
		buf = k.limits.States.Append(buf[:0], m.state)
		dst = appendSized(dst, string(buf))
	}
	return dst
}

func (k *keyMemory[T, S, U]) loadState(b []byte) error {
	clear(k.keys)
	k.oldest, k.newest = nil, nil
	for len(b) > 0 {
		key, rest, err := sized(b)
		if err != nil {
			return err
		}
		touched, n := binary.Varint(rest)
		if n <= 0 {
			return fmt.Errorf("%w: cut off", errState)
		}
		state, rest, err := sized(rest[n:])
		if err != nil {
			return err
		}
		m := &remembered[S]{key: string(key)}
		if m.state, err = k.limits.States.Decode(state); err != nil {
			return err
		}
		k.keys[m.key] = m
		k.link(m, touched)
		b = rest
	}
	return nil
}

// appendMemories appends the states of all memories: what each means, and its state,
// behind their lengths.
func (o *operator) appendMemories(dst []byte) []byte {
	for i, m := range o.run.memories {
		dst = appendSized(dst, o.t.memories[i].meaning())
		dst = appendSized(dst, string(m.appendState(nil)))
	}
	return dst
}

// loadMemories is the inverse. A memory of another meaning is forgotten.
func (o *operator) loadMemories(b []byte) error {
	for len(b) > 0 {
		meaning, rest, err := sized(b)
		if err != nil {
			return err
		}
		state, rest, err := sized(rest)
		if err != nil {
			return err
		}
		for i, m := range o.run.memories {
			if o.t.memories[i].meaning() == string(meaning) {
				if err := m.loadState(state); err != nil {
					return fmt.Errorf("step %s: %w", o.t.memories[i].name, err)
				}
			}
		}
		b = rest
	}
	return nil
}
