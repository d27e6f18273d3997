package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// Info and Scan make the markers of broken a log, in which record i has offset i.
func (b *broken) Info(context.Context) (queue.TopicInfo, error) {
	return queue.TopicInfo{ID: "a", Partitions: 2, Starts: []int64{0, 0}, Ends: []int64{int64(len(b.log[0])), int64(len(b.log[1]))}}, nil
}

func (b *broken) Scan(_ context.Context, part int32, from, to int64, fn func(*kgo.Record) error) error {
	return b.call(func() error {
		for i := from; i < to; i++ {
			r := &kgo.Record{Offset: i, Value: b.log[part][i].Append(nil), Headers: []kgo.RecordHeader{{Key: record.MarkerHeader}}}
			if err := fn(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// job notes what it was asked to do.
type job struct {
	b        *broken
	computed []store.Run
	views    map[uint32]bool
	during   func() // called while it computes
}

func (j *job) Cover(context.Context, store.Run) error { return j.b.call(func() error { return nil }) }

func (j *job) Compute(_ context.Context, run store.Run) (string, error) {
	if j.during != nil {
		j.during()
	}
	return "views", j.b.call(func() error {
		j.computed = append(j.computed, run)
		j.views[run.Number] = true
		return nil
	})
}

func (j *job) Check(_ context.Context, run store.Run) error {
	return j.b.call(func() error {
		if !j.views[run.Number] {
			return errors.New("no views")
		}
		return nil
	})
}

func (j *job) Keep(_ context.Context, runs []store.Run, _ uint32) error {
	return j.b.call(func() error {
		for n := range j.views {
			if !slices.ContainsFunc(runs, func(r store.Run) bool { return r.Number == n }) {
				delete(j.views, n)
			}
		}
		return nil
	})
}

func newRuns(b *broken) (*Runs, *job) {
	j := &job{b: b, views: map[uint32]bool{}}
	return &Runs{Store: b, Log: b, Job: j, Owner: "one", Now: func() time.Time { return time.UnixMilli(1000) }}, j
}

// A run that is cut short at any call is done again by the next, under its own
// number, and the one after it has the next number.
func TestRunCutShort(t *testing.T) {
	for n := 1; n < 200; n++ {
		for _, silent := range []bool{false, true} {
			b := &broken{Store: fresh(t), left: n, silent: silent}
			r, j := newRuns(b)
			_, err := r.Run(t.Context())
			if err == nil {
				if n < 10 {
					t.Fatalf("a run makes %d calls only", n)
				}
				return
			}
			if !errors.Is(err, errBroken) {
				t.Fatalf("broken at call %d: %v", n, err)
			}
			b.left = 1 << 30
			p, err := b.Pointer(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p.Current != nil { // it broke after the switch
				if err := r.Retire(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else if _, err := r.Run(t.Context()); err != nil {
				t.Fatalf("broken at call %d, again: %v", n, err)
			}
			checkRun(t, b, j, 1, 0, []uint32{0, 1})
			if _, err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkRun(t, b, j, 2, 1, []uint32{1, 2})
		}
	}
	t.Fatal("never whole")
}

// checkRun: the pointer names the run and the one before, and its vector is
// after the marker that counts; what nobody needs is gone.
func checkRun(t *testing.T, b *broken, j *job, current, previous uint32, list []uint32) {
	t.Helper()
	p, err := b.Pointer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Current == nil || p.Current.Number != current || p.Running != nil || !slices.Equal(p.Generations, list) ||
		previous > 0 && p.Previous.Number != previous {
		t.Fatalf("pointer %+v, want run %d after %d with %v", p, current, previous, list)
	}
	for _, v := range p.Current.Vector {
		first := slices.IndexFunc(b.log[v.Partition], func(m record.Marker) bool { return m.Generation == current })
		if int64(first)+1 != v.Offset {
			t.Fatalf("vector %+v, the log of partition %d is %v", p.Current.Vector, v.Partition, b.log[v.Partition])
		}
	}
	if len(p.Current.Vector) != 2 || !j.views[current] || previous > 0 && !j.views[previous] {
		t.Fatalf("vector %v, views %v", p.Current.Vector, j.views)
	}
	stats, err := b.Stats(t.Context())
	slices.Sort(stats.Generations)
	if err != nil || !slices.Equal(stats.Generations, list) {
		t.Fatalf("the store has the generations %v, want %v (%v)", stats.Generations, list, err)
	}
}

// Two runs at once: the second is refused; one that another process took over
// fails by the counter, and so does one under which the pointer is rolled back.
func TestTwoRuns(t *testing.T) {
	b := &broken{Store: fresh(t), left: 1 << 30}
	r, j := newRuns(b)
	other := &Runs{Store: b, Log: b, Job: j, Owner: "two", Now: r.Now}
	var inside error
	j.during = func() { _, inside = r.Run(t.Context()) }
	if _, err := r.Run(t.Context()); err != nil || !errors.Is(inside, ErrRunning) {
		t.Fatalf("%v; a second in the process: %v", err, inside)
	}
	other.Lease = time.Minute
	j.during = func() { j.during = nil; _, inside = other.Run(t.Context()) }
	if _, err := r.Run(t.Context()); err != nil || !errors.Is(inside, ErrRunning) {
		t.Fatalf("%v; a second from elsewhere: %v", err, inside)
	}
	// Two minutes later it may be taken over, and completes.
	other.Now = func() time.Time { return time.UnixMilli(121_000) }
	j.during = func() { j.during = nil; _, inside = other.Run(t.Context()) }
	if _, err := r.Run(t.Context()); !errors.Is(err, ErrOvertaken) || inside != nil {
		t.Fatalf("%v; the one that took over: %v", err, inside)
	}
	checkRun(t, b, j, 3, 2, []uint32{2, 3})
	j.during = func() {
		j.during = nil
		_, inside = catalog.Rollback(t.Context(), b)
	}
	if _, err := r.Run(t.Context()); !errors.Is(err, ErrOvertaken) || inside != nil {
		t.Fatalf("%v; rolled back: %v", err, inside)
	}
	if p, _ := b.Pointer(t.Context()); p.Current.Number != 2 || p.Previous != nil || !slices.Equal(p.Generations, []uint32{2, 3, 4}) {
		t.Fatalf("rolled back: %+v", p)
	}
	if _, err := catalog.Rollback(t.Context(), b); !errors.Is(err, catalog.ErrNoRollback) {
		t.Fatalf("another step back: %v", err)
	}
	if _, err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkRun(t, b, j, 4, 2, []uint32{2, 3, 4})
}

// The first run can be rolled back too: all generations are there.
func TestRollbackToNone(t *testing.T) {
	b := &broken{Store: fresh(t), left: 1 << 30}
	r, j := newRuns(b)
	if _, err := catalog.Rollback(t.Context(), b); !errors.Is(err, catalog.ErrNoRollback) {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err := catalog.Rollback(t.Context(), b); err != nil || p.Current != nil || !slices.Equal(p.Open(), []uint32{0, 1}) {
		t.Fatalf("%+v, %v", p, err)
	}
	for range 2 {
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	checkRun(t, b, j, 3, 2, []uint32{2, 3})
}

// A marker that was overtaken by that of a later generation does not count: the
// run has failed, and the next takes another number.
func TestMarkerThatDoesNotCount(t *testing.T) {
	b := &broken{Store: fresh(t), left: 1 << 30}
	r, j := newRuns(b)
	b.log[1] = append(b.log[1], record.Marker{Generation: 1000})
	if _, err := r.Run(t.Context()); !errors.Is(err, ErrNotCounted) {
		t.Fatal(err)
	}
	b.log[1] = nil
	if run, err := r.Run(t.Context()); err != nil || run.Number != 2 {
		t.Fatalf("%+v, %v", run, err)
	}
	checkRun(t, b, j, 2, 0, []uint32{0, 1, 2})
}

// A late marker of the run itself, or of one before, moves nothing: the vector is
// after the first that counts.
func TestVector(t *testing.T) {
	b := &broken{Store: fresh(t), left: 1 << 30}
	r, j := newRuns(b)
	if _, err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.log[0] = append(b.log[0], record.Marker{Generation: 1}, record.Marker{Generation: 2}, record.Marker{Generation: 1})
	if _, err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkRun(t, b, j, 2, 1, []uint32{1, 2})
	if got := fmt.Sprint(j.computed[1].Vector); got != "[{0 0 3} {0 1 2}]" {
		t.Errorf("vector %s", got)
	}
}
