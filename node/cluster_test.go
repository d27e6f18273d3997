package node

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/catalog"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/verify"
)

// unowned is a store that several nodes of a test share: none of them closes it.
type unowned struct{ store.Store }

func (unowned) Close() error { return nil }

// sharedLog is a log's buffer for many goroutines.
type sharedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// testCluster is a queue and a store that the nodes of a test share.
type testCluster struct {
	broker *embedded.Broker
	store  store.Store
	log    sharedLog
}

func newTestCluster(t *testing.T) *testCluster {
	t.Helper()
	c := &testCluster{}
	var err error
	if c.broker, err = embedded.Start(embedded.Config{Dir: t.TempDir(), Trusted: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.broker.Close(); err != nil {
			t.Error(err)
		}
	})
	if c.store, err = pebble.Open(pebble.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *testCluster) options(name string, roles Roles) Config {
	return Config{Kafka: queue.Config{Brokers: []string{c.broker.Addr()}}, Roles: roles, Member: name, Logger: slog.New(slog.NewTextHandler(&c.log, nil)),
		OpenStore: func(context.Context) (store.Store, error) { return unowned{c.store}, nil }}
}

// join opens a node, which the test closes at its end at the latest.
func (c *testCluster) join(t *testing.T, name string, roles Roles) (*Node, func()) {
	t.Helper()
	n, err := Open(t.Context(), c.options(name, roles))
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() { closeNode(t, n) })
	t.Cleanup(stop)
	return n, stop
}

// eventually waits for a condition that others bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// Processors share the partitions; a collector and a query process that process
// nothing see what they commit; the partitions of one that leaves are taken over, and nothing is
// lost or counted twice.
func TestRolesShareTheWork(t *testing.T) {
	t.Parallel() // it waits more than it works
	c := newTestCluster(t)
	a, stopA := c.join(t, "a", RoleProcessor)
	front, _ := c.join(t, "front", RoleCollector|RoleQuery)
	viewPages(t, front, 0, 200)
	wantViews(t, front, 200)
	b, _ := c.join(t, "b", RoleProcessor)
	eventually(t, "the partitions are not shared", func() bool { return len(a.owned()) == 4 && len(b.owned()) == 4 })
	viewPages(t, front, 100, 400)
	wantViews(t, front, 400)
	status, err := front.engine.Status(t.Context())
	if err != nil || status.Covered.Lag == nil || *status.Covered.Lag != 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	if members := status.Info["members"].([]queue.Member); len(members) != 2 || members[0].Name != "a" {
		t.Errorf("members %+v", members)
	}
	stopA()
	eventually(t, "who stays does not take over", func() bool { return len(b.owned()) == 8 })
	viewPages(t, front, 300, 500)
	wantViews(t, front, 500)
}

// More partitions than before, while all are at work: it is noticed and said, the
// old epoch is closed, and the next begins when all have stopped; what was counted
// before is not counted again.
func TestMorePartitionsWhileRunning(t *testing.T) {
	t.Parallel() // it waits more than it works
	c := newTestCluster(t)
	a, _ := c.join(t, "a", RoleProcessor)
	b, _ := c.join(t, "b", RoleProcessor)
	front, _ := c.join(t, "front", RoleCollector|RoleQuery)
	viewPages(t, front, 0, 300)
	if err := front.queue.AddPartitions(t.Context(), 12); err != nil {
		t.Fatal(err)
	}
	// Posted into the old epoch, the pause, or the new one: each counts once.
	stop := make(chan struct{})
	var posting sync.WaitGroup
	posted := 300
	posting.Go(func() {
		for {
			viewPagesOnly(t, front, posted, posted+10)
			posted += 10
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	eventually(t, "no new log epoch", func() bool {
		return a.epochNow().Number == 2 && b.epochNow().Number == 2 && front.epochNow().Number == 2
	})
	eventually(t, "the partitions are not shared", func() bool { return len(a.owned()) == 6 && len(b.owned()) == 6 })
	close(stop)
	posting.Wait()
	// Records appended by the old number of partitions are rerouted first: they count
	// after the end that the log has now.
	eventually(t, "what was posted is not counted", func() bool {
		a, err := front.engine.Pageviews(t.Context(), query.URLQuery{URL: "foo.com/a", From: "2026-01-05T10:00Z", To: "2026-01-05T11:00Z"})
		return err == nil && a.Pageviews >= uint64(posted)
	})
	if err := front.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantViews(t, front, uint64(posted))
	report, err := verify.Run(t.Context(), verify.Config{Cells: verify.FromStore(c.store), Log: front.queue})
	if err != nil || !report.OK() {
		t.Errorf("%v, %v", report, err)
	}
	for _, what := range []string{"a log epoch is closed", "the topic has 12 partitions, not 8", "a new log epoch begins"} {
		if !strings.Contains(c.log.String(), what) {
			t.Errorf("it was not said: %q", what)
		}
	}
	if epochs, err := c.store.Epochs(t.Context()); err != nil || len(epochs) != 3 || epochs[1].Partitions != 0 || epochs[2].Partitions != 12 {
		t.Errorf("epochs %+v, %v", epochs, err)
	}
}

// A process that was away while a log epoch ended looks before it writes: nothing
// of what it had in memory reaches the store.
func TestZombieOfAnEpoch(t *testing.T) {
	t.Parallel() // it waits more than it works
	c := newTestCluster(t)
	n, _ := c.join(t, "a", RoleCollector|RoleProcessor|RoleQuery)
	viewPages(t, n, 0, 100)
	old := n.epochNow()
	before := time.Now()
	end := store.Epoch{Number: 1, TopicID: old.TopicID, Starts: []int64{}, Settings: old.Settings, Reason: "for a test"}
	if err := c.store.AppendEpoch(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	zombie := catalog.NewFence(c.store, old.Number)
	if err := zombie.Allow(t.Context()); err == nil {
		t.Error("a write to an epoch that has ended is allowed")
	}
	eventually(t, "no log epoch follows", func() bool { return n.epochNow().Number == 2 })
	if took := time.Since(before); took < catalog.EpochPause {
		t.Errorf("the next epoch began %v after the end of the one before: processes may still write to that", took)
	}
	viewPages(t, n, 50, 150)
	wantViews(t, n, 200) // dedupe forgets at an epoch's start
}

// A topic that is deleted and recreated while all are at work: it is noticed and
// said, and what is posted then counts, although its offsets lie below the old
// commits.
func TestTopicMadeAnewWhileRunning(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t)
	a, _ := c.join(t, "a", RoleProcessor)
	front, _ := c.join(t, "front", RoleCollector|RoleQuery)
	viewPages(t, front, 0, 200)
	admin, err := queue.Connect(t.Context(), queue.Config{Brokers: []string{c.broker.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.DeleteTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := admin.MakeTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no new log epoch", func() bool { return a.epochNow().Number == 1 && front.epochNow().Number == 1 })
	viewPages(t, front, 300, 400)
	wantViews(t, front, 300)
	if !strings.Contains(c.log.String(), "the topic was recreated") {
		t.Errorf("it was not said: %s", &c.log)
	}
}
