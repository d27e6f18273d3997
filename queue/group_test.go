package queue

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// holder is what a test's member of the group has, in log order of its calls.
type holder struct {
	mu     sync.Mutex
	parts  map[int32]bool
	change chan struct{}
}

func (h *holder) set(parts []int32, held bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range parts {
		if held {
			h.parts[p] = true
		} else {
			delete(h.parts, p)
		}
	}
	select {
	case h.change <- struct{}{}:
	default:
	}
}

func (h *holder) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.parts)
}

// join makes a member, which leaves when the function it returns is called.
func join(t *testing.T, c *Client, change chan struct{}) (*holder, func()) {
	t.Helper()
	h := &holder{parts: map[int32]bool{}, change: change}
	ctx, cancel := context.WithCancel(t.Context())
	g := c.NewGroup(GroupConfig{Name: "g", Member: "test", SessionTimeout: 6 * time.Second, Position: func(p int32) int64 { return int64(p) + 100 }})
	var running sync.WaitGroup
	running.Go(func() {
		if err := g.Run(ctx, func(p []int32) { h.set(p, true) }, func(p []int32) { h.set(p, false) }); err != nil {
			t.Error(err)
		}
	})
	leave := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(leave)
	return h, leave
}

func await(t *testing.T, change chan struct{}, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-change:
		case <-deadline:
			t.Fatal(what)
		}
	}
}

// Members share the partitions; a new one gets some, those of one that leaves go to
// the others; and the group says up to where each is committed.
func TestGroup(t *testing.T) {
	_, c := start(t)
	change := make(chan struct{}, 1)
	a, leaveA := join(t, c, change)
	await(t, change, "the first member does not get all partitions", func() bool { return a.count() == 8 })
	b, _ := join(t, c, change)
	await(t, change, "the second member does not get half of the partitions", func() bool { return a.count() == 4 && b.count() == 4 })
	members, err := c.Members(t.Context(), "g")
	if err != nil || len(members) != 2 || len(members[0].Partitions) != 4 || len(members[1].Partitions) != 4 {
		t.Errorf("members %+v, %v", members, err)
	}
	both := append(slices.Clone(members[0].Partitions), members[1].Partitions...)
	if slices.Sort(both); !slices.Equal(both, []int32{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("members have %v together", both)
	}
	leaveA()
	await(t, change, "who stays does not take over", func() bool { return a.count() == 0 && b.count() == 8 })
	admin := kadm.NewClient(c.kafka)
	deadline := time.After(20 * time.Second)
	for {
		at, err := admin.FetchOffsets(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		if o, ok := at.Lookup(TopicPageviews, 7); ok && o.At == 107 {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("the group does not know the positions: %v", at)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
