package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

func memStore(t testing.TB) *pebble.Store {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// topicOf is a topic of two partitions that has lost nothing.
func topicOf(id string) queue.TopicInfo {
	return queue.TopicInfo{ID: id, Partitions: 2, Starts: []int64{0, 0}, Ends: []int64{100, 100}}
}

// begun makes a store whose first epoch stands, with commits at 60 and 70, and a
// snapshot of partition 0 at 50.
func begun(t *testing.T) *pebble.Store {
	t.Helper()
	ctx := context.Background()
	st := memStore(t)
	if _, _, err := EnsureEpoch(ctx, st, topicOf("a"), view.Defaults()); err != nil {
		t.Fatal(err)
	}
	for part, offset := range []int64{60, 70} {
		shard := store.Shard{Partition: int32(part)}
		record := store.CommitRecord{Generation: uint32(2 * part)}
		if err := st.Apply(ctx, &store.Batch{Shard: shard, Commit: store.Commit{Offset: offset, Record: record.Append(nil)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := saveSnapshot(ctx, st, store.Shard{}, 50); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestFirstEpoch(t *testing.T) {
	ctx := context.Background()
	st := memStore(t)
	topic := queue.TopicInfo{ID: "a", Partitions: 2, Starts: []int64{7, 0}, Ends: []int64{100, 100}}
	s := view.Defaults()
	e, reason, err := EnsureEpoch(ctx, st, topic, s)
	if err != nil {
		t.Fatal(err)
	}
	want := store.Epoch{TopicID: "a", Partitions: 2, Starts: []int64{7, 0}, Settings: s.String(), Reason: "the first"}
	if !reflect.DeepEqual(e, want) || reason != "the first" {
		t.Errorf("begins with %+v, %q; want %+v", e, reason, want)
	}
	p, err := st.Pointer(ctx)
	if wantP := (store.Pointer{Counter: 1, Next: 1, Generations: []uint32{0}, Settings: s.String(), Marked: true}); err != nil || !reflect.DeepEqual(p, wantP) {
		t.Errorf("pointer %+v, %v; want %+v", p, err, wantP)
	}
	// Settings that changed since do not concern the epoch that stands.
	s.DedupeWindow++
	again, reason, err := EnsureEpoch(ctx, st, topic, s)
	if err != nil || reason != "" || !reflect.DeepEqual(again, want) {
		t.Errorf("and then %+v, %q, %v", again, reason, err)
	}
}

// Each way to notice another incarnation of the log, and where the new one begins.
func TestNextEpoch(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*queue.TopicInfo)
		says   string // in the reason; "" when it is the same incarnation
		starts []int64
	}{
		{"nothing", func(*queue.TopicInfo) {}, "", nil},
		{"it grew", func(i *queue.TopicInfo) { i.Ends = []int64{200, 300} }, "", nil},
		{"it ends at the commit", func(i *queue.TopicInfo) { i.Ends = []int64{60, 70} }, "", nil},
		{"it begins at the snapshot, and at the epoch's start", func(i *queue.TopicInfo) { i.Starts = []int64{50, 0} }, "", nil},
		{"recreated", func(i *queue.TopicInfo) { i.ID = "b"; i.Starts = []int64{3, 0} },
			"the topic was recreated: its id is b, not a", []int64{3, 0}},
		{"more partitions", func(i *queue.TopicInfo) {
			i.Partitions, i.Starts, i.Ends = 4, []int64{0, 0, 0, 5}, []int64{100, 100, 0, 9}
		}, "the topic has 4 partitions, not 2", []int64{60, 70, 0, 5}},
		{"fewer partitions", func(i *queue.TopicInfo) { i.Partitions, i.Starts, i.Ends = 1, i.Starts[:1], i.Ends[:1] },
			"the topic has 1 partitions, not 2", []int64{60}},
		{"it ends below a commit", func(i *queue.TopicInfo) { i.Ends[1] = 69 },
			"the log of epoch 0 partition 1 ends at 69, below the commit at 70", []int64{60, 69}},
		{"it begins above the snapshot", func(i *queue.TopicInfo) { i.Starts[0] = 51 },
			"the log of epoch 0 partition 0 begins at 51, above the snapshot at 50", []int64{60, 70}},
		{"it begins above the commit", func(i *queue.TopicInfo) { i.Starts[0] = 80 },
			"begins at 80, above the snapshot at 50", []int64{80, 70}},
		{"it begins above the epoch's start, without a snapshot", func(i *queue.TopicInfo) { i.Starts[1] = 1 },
			"partition 1 begins at 1, above the snapshot at 0", []int64{60, 70}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			st := begun(t)
			topic := topicOf("a")
			c.change(&topic)
			s := view.Defaults()
			s.DedupeWindow = 5
			e, reason, err := EnsureEpoch(ctx, st, topic, s)
			if err != nil {
				t.Fatal(err)
			}
			all, err := st.Epochs(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if c.says == "" {
				if reason != "" || e.Number != 0 || len(all) != 1 {
					t.Errorf("epoch %d of %d begins: %s", e.Number, len(all), reason)
				}
				return
			}
			if !strings.Contains(reason, c.says) || e.Reason != reason {
				t.Errorf("says %q, the row %q, want %q", reason, e.Reason, c.says)
			}
			// The generation is the newest that any partition has committed.
			want := store.Epoch{Number: 1, TopicID: topic.ID, Partitions: topic.Partitions, Starts: c.starts, Generation: 2,
				Settings: s.String(), Reason: reason}
			if !reflect.DeepEqual(e, want) || len(all) != 2 || !reflect.DeepEqual(all[1], want) {
				t.Errorf("begins with %+v, want %+v; rows %+v", e, want, all)
			}
			if again, reason, err := EnsureEpoch(ctx, st, topic, s); err != nil || reason != "" || again.Number != 1 {
				t.Errorf("and once more: %+v, %q, %v", again, reason, err)
			}
		})
	}
}

// Many processes that start at once begin one epoch together.
func TestEnsureEpochAtOnce(t *testing.T) {
	ctx := context.Background()
	for _, fresh := range []bool{true, false} {
		t.Run(fmt.Sprintf("fresh %v", fresh), func(t *testing.T) {
			st := memStore(t)
			want := uint32(0)
			if !fresh {
				st, want = begun(t), 1
			}
			var wg sync.WaitGroup
			epochs, errs := make([]store.Epoch, 8), make([]error, 8)
			for i := range epochs {
				wg.Go(func() { epochs[i], _, errs[i] = EnsureEpoch(ctx, st, topicOf("b"), view.Defaults()) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			for _, e := range epochs {
				if !reflect.DeepEqual(e, epochs[0]) || e.Number != want {
					t.Errorf("one begins with %+v, another with %+v", epochs[0], e)
				}
			}
			all, err := st.Epochs(ctx)
			if err != nil || len(all) != int(want)+1 {
				t.Errorf("%d epochs, %v", len(all), err)
			}
			if p, err := st.Pointer(ctx); err != nil || p.Counter != 1 {
				t.Errorf("pointer %+v, %v: it moves once", p, err)
			}
		})
	}
}

// broken fails the n-th change of the control rows, counted from 0.
type broken struct {
	store.Store
	n   int
	err error
}

func (b *broken) fails() error {
	b.n--
	if b.n == -1 {
		return b.err
	}
	return nil
}

func (b *broken) CreateGeneration(ctx context.Context, g uint32) error {
	if err := b.fails(); err != nil {
		return err
	}
	return b.Store.CreateGeneration(ctx, g)
}

func (b *broken) SwapPointer(ctx context.Context, expect uint64, p store.Pointer) error {
	if err := b.fails(); err != nil {
		return err
	}
	return b.Store.SwapPointer(ctx, expect, p)
}

func (b *broken) AppendEpoch(ctx context.Context, e store.Epoch) error {
	if err := b.fails(); err != nil {
		return err
	}
	return b.Store.AppendEpoch(ctx, e)
}

// A start that is cut short at any step is finished by the next.
func TestEnsureEpochCutShort(t *testing.T) {
	ctx := context.Background()
	cut := errors.New("cut short")
	for n := range 3 {
		st := memStore(t)
		if _, _, err := EnsureEpoch(ctx, &broken{Store: st, n: n, err: cut}, topicOf("a"), view.Defaults()); !errors.Is(err, cut) {
			t.Fatalf("step %d: %v", n, err)
		}
		e, reason, err := EnsureEpoch(ctx, st, topicOf("a"), view.Defaults())
		if err != nil || reason != "the first" || e.Number != 0 {
			t.Errorf("after step %d: %+v, %q, %v", n, e, reason, err)
		}
		if p, err := st.Pointer(ctx); err != nil || p.Counter != 1 || len(p.Generations) != 1 {
			t.Errorf("after step %d: pointer %+v, %v", n, p, err)
		}
	}
}

// saveSnapshot makes an empty state the shard's snapshot at an offset.
func saveSnapshot(ctx context.Context, st store.Snapshots, s store.Shard, offset int64) error {
	return errors.Join(st.PutChunk(ctx, s, offset, 0, nil), st.NameSnapshot(ctx, s, store.SnapshotName{Offset: offset, Chunks: 1}))
}
