package topology

// Counts is the result of Count.
type Counts struct{ step *step }

// Sums is the result of Sum.
type Sums struct{ step *step }

// Uniques is the result of Unique.
type Uniques struct{ step *step }

// Tops is the result of Top.
type Tops struct {
	step   *step
	counts *Counts
	n      int
}

// Count counts the events of each key. Partitions count their own events, and a read
// adds them up.
func Count[T any](in *Grouped[T], name string) *Counts {
	s := follow(in.stepOf(), "count", name, false)
	s.keep(s.t.stages[0], countView, in.hours, func() kind { return countKind{} })
	in.out = append(in.out, func(r *run, key string, hour int32, _ T) { r.change(s, key, hour, 1) })
	return &Counts{s}
}

// Sum adds up a number of each event of a key. Events that add 0 change nothing. A
// sum that leaves the range of int64 wraps around, as Go's addition does.
func Sum[T any](in *Grouped[T], name string, of func(T) int64) *Sums {
	s := follow(in.stepOf(), "sum", name, of == nil)
	s.keep(s.t.stages[0], sumView, in.hours, func() kind { return sumKind{} })
	in.out = append(in.out, func(r *run, key string, hour int32, v T) {
		r.at = s
		if n := of(v); n != 0 {
			r.change(s, key, hour, n)
		}
	})
	return &Sums{s}
}

// Unique counts the different members among the events of a key: exactly up to 2,048
// in a cell, and by a HyperLogLog sketch above (crdt.RelativeError).
func Unique[T any](in *Grouped[T], name string, member func(T) string) *Uniques {
	s := follow(in.stepOf(), "unique", name, member == nil)
	s.keep(s.t.stages[0], uniqueView, in.hours, func() kind { return &uniqueKind{} })
	in.out = append(in.out, func(r *run, key string, hour int32, v T) {
		r.at = s
		r.change(s, key, hour, int64(memberHash(member(v))))
	})
	return &Uniques{s}
}

// MaxTop bounds the length of a top list.
const MaxTop = 10_000

// Top is the n keys with the highest counts, the highest first; of equal counts, the
// lower key by its bytes. The list is found when it is read, from all counts. So it
// is exact, needs no shuffle, and a read takes time in proportion to the keys.
func Top(counts *Counts, name string, n int) *Tops {
	var from *step
	if counts != nil {
		from = counts.step
	}
	s := follow(from, "top", name, false)
	if n < 1 || n > MaxTop {
		s.t.wrong(s, "the first %d: allowed are 1 to %d", n, MaxTop)
	}
	s.detail = itoa(n)
	return &Tops{s, counts, n}
}
