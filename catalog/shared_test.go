package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"speedlayer/queue"
	"speedlayer/store"
	"speedlayer/view"
)

// topicOf2 is a topic of two partitions that hold [0,100).
func topicOf2(id string) queue.TopicInfo {
	return queue.TopicInfo{ID: id, Partitions: 2, Starts: []int64{0, 0}, Ends: []int64{100, 100}}
}

func commitAt(t *testing.T, st store.Store, epoch uint32, partition int32, offset int64) {
	t.Helper()
	b := store.Batch{Shard: store.Shard{Epoch: epoch, Partition: partition}, Commit: store.Commit{Offset: offset, Record: new(store.CommitRecord).Append(nil)}}
	if err := st.Apply(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// settleShared settles an epoch with a pause, in which during is called, by whoever
// closes.
func settleShared(t *testing.T, st store.Store, topic func() queue.TopicInfo, known *KnownEnd, during func()) (store.Epoch, string) {
	t.Helper()
	e, reason, err := EnsureEpochShared(t.Context(), EpochConfig{Store: st, Settings: view.Defaults(), Known: known, Pause: time.Millisecond,
		Topic:  func(context.Context) (queue.TopicInfo, error) { return topic(), nil },
		Closed: func(uint32, string) { during() }})
	if err != nil {
		t.Fatal(err)
	}
	return e, reason
}

// The next epoch begins where commits stand when everybody has stopped, not
// where they stood when the end was noticed.
func TestEpochIsClosedFirst(t *testing.T) {
	st := memStore(t)
	topic := topicOf2("a")
	current := func() queue.TopicInfo { return topic }
	first, _ := settleShared(t, st, current, nil, func() { t.Error("the first epoch ends none") })
	commitAt(t, st, 0, 0, 50)
	topic = queue.TopicInfo{ID: "a", Partitions: 3, Starts: []int64{0, 0, 0}, Ends: []int64{100, 100, 100}}
	e, reason := settleShared(t, st, current, nil, func() {
		fence := NewFence(st, first.Number)
		if err := fence.Allow(t.Context()); !errors.Is(err, ErrEpochEnded) {
			t.Errorf("a write to the epoch that was closed: %v", err)
		}
		commitAt(t, st, 0, 0, 60) // what another process had in memory when it was told
	})
	if want := []int64{60, 0, 0}; e.Number != 2 || !reflect.DeepEqual(e.Starts, want) || reason != "the topic has 3 partitions, not 2" {
		t.Errorf("epoch %+v, %q: want the third, from %v", e, reason, want)
	}
	if again, reason := settleShared(t, st, current, nil, func() { t.Error("closed again") }); again.Number != 2 || reason != "" {
		t.Errorf("again: epoch %d, %q", again.Number, reason)
	}
}

// A recreated topic shares nothing with the old one: no pause.
func TestTopicMadeAnewNeedsNoPause(t *testing.T) {
	st := memStore(t)
	topic := topicOf2("a")
	settleShared(t, st, func() queue.TopicInfo { return topic }, nil, func() {})
	topic = topicOf2("b")
	e, _ := settleShared(t, st, func() queue.TopicInfo { return topic }, nil, func() { t.Error("closed first") })
	if e.Number != 1 || e.TopicID != "b" {
		t.Errorf("epoch %+v", e)
	}
}

// A process that finds the epoch closed, by one that died then, goes on from
// there; and many that find it at once begin one epoch together.
func TestClosedAndLeft(t *testing.T) {
	st := memStore(t)
	topic := func(context.Context) (queue.TopicInfo, error) { return topicOf2("a"), nil }
	first, _, err := EnsureEpochShared(t.Context(), EpochConfig{Store: st, Settings: view.Defaults(), Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	commitAt(t, st, 0, 1, 80)
	left := EpochConfig{Store: st, Known: &KnownEnd{Epoch: 0, Reason: "cut off", Cut: &queue.ErrLogCut{Partition: 1, Offset: 80, Cut: 70}}}
	if err := left.close(t.Context(), first, "cut off"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var epochs [8]store.Epoch
	var errs [8]error
	for i := range epochs {
		all.Go(func() {
			epochs[i], _, errs[i] = EnsureEpochShared(t.Context(), EpochConfig{Store: st, Settings: view.Defaults(), Topic: topic, Pause: time.Millisecond})
		})
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	for _, e := range epochs {
		if want := []int64{0, 70}; e.Number != 2 || !reflect.DeepEqual(e.Starts, want) || e.Reason != "cut off" {
			t.Errorf("epoch %+v: want the third, from %v: above the cut the records are new", e, want)
		}
	}
}

// Others are at work while the topic is compared with its epoch: commits that
// move on, and a log whose beginning is dropped after a new snapshot, are no end.
func TestOthersAtWorkAreNoEnd(t *testing.T) {
	st := memStore(t)
	now := topicOf2("a")
	// work appends ten records, commits all, takes a snapshot and lets go of what
	// is below it.
	work := func() error {
		end := now.Ends[0] + 10
		now = queue.TopicInfo{ID: "a", Partitions: 2, Starts: []int64{end - 5, 0}, Ends: []int64{end, 100}}
		return errors.Join(
			st.Apply(t.Context(), &store.Batch{Commit: store.Commit{Offset: end, Record: new(store.CommitRecord).Append(nil)}}),
			st.PutChunk(t.Context(), store.Shard{}, end-5, 0, []byte("x")),
			st.NameSnapshot(t.Context(), store.Shard{}, store.SnapshotName{Offset: end - 5, Chunks: 1}))
	}
	first := true
	topic := func(context.Context) (queue.TopicInfo, error) {
		if first {
			first = false
			return now, nil
		}
		if err := work(); err != nil { // while the question is on its way,
			return now, err
		}
		answer := now
		return answer, work() // and the answer
	}
	c := EpochConfig{Store: st, Settings: view.Defaults(), Topic: topic}
	if _, _, err := EnsureEpochShared(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if e, reason, err := EnsureEpochShared(t.Context(), c); err != nil || reason != "" || e.Number != 0 {
			t.Fatalf("epoch %d, %q, %v", e.Number, reason, err)
		}
	}
}

// What the topic does not show, a runner knows.
func TestKnownEnds(t *testing.T) {
	st := memStore(t)
	topic := topicOf2("a")
	current := func() queue.TopicInfo { return topic }
	settleShared(t, st, current, nil, func() {})
	commitAt(t, st, 0, 0, 50)
	gone := EndKnownFrom(0, fmt.Errorf("%w: %w", errGap, store.ErrNoChunk))
	if e, _ := settleShared(t, st, current, gone, func() {}); e.Number != 2 || e.Starts[0] != 50 {
		t.Errorf("a snapshot that is gone: epoch %+v", e)
	}
	if e, reason := settleShared(t, st, current, gone, func() {}); e.Number != 2 || reason != "" {
		t.Errorf("what ended an older epoch ended this one: %+v, %q", e, reason)
	}
	commitAt(t, st, 2, 0, 90)
	cut := EndKnownFrom(2, fmt.Errorf("%w: %w", errGap, &queue.ErrLogCut{Partition: 0, Offset: 90, Cut: 85}))
	if e, _ := settleShared(t, st, current, cut, func() {}); e.Number != 4 || e.Starts[0] != 85 {
		t.Errorf("a log that was cut off: epoch %+v", e)
	}
	if EndKnownFrom(0, fmt.Errorf("%w: %w", errGap, &queue.ErrLogStart{})) != nil {
		t.Error("where the log begins, the topic itself shows")
	}
}

var errGap = errors.New("a gap, as a runner reports it")
