package node

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/record"
)

// A collector that knows fewer partitions than there are appends to other partitions
// than its persons', and the processors reroute those. An answer that the records are
// queryable is true for those too.
func TestWaitAppliedFollowsReroutedRecords(t *testing.T) {
	const partitions, known, persons = 12, 8, 100
	n, _ := testNode(t, Config{Data: t.TempDir(), Partitions: partitions})
	defer closeNode(t, n)
	stale, err := kgo.NewClient(kgo.SeedBrokers(n.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	defer stale.Close()
	rerouted := 0
	for i := range persons {
		person := fmt.Appendf(nil, "person %d", i)
		r := &kgo.Record{Topic: queue.TopicPageviews, Partition: record.PartitionOf(person, known), Key: person, Value: pageview(person, i)}
		if err := stale.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		at := queue.Position{Partition: r.Partition, Offset: r.Offset, Person: record.PersonHash(person)}
		if home, _ := at.Home(partitions); home != at.Partition {
			rerouted++
		}
		if err := n.waitApplied(t.Context(), []queue.Position{at}); err != nil {
			t.Fatal(err)
		}
		if got := viewsNow(t, n); got != uint64(i+1) {
			t.Fatalf("%d pageviews after %d were applied", got, i+1)
		}
	}
	if rerouted < persons/4 {
		t.Errorf("only %d of %d records were rerouted", rerouted, persons)
	}
}

// CatchUp waits for the copies of rerouted records too.
func TestCatchUpFollowsReroutedRecords(t *testing.T) {
	const partitions, persons = 12, 40
	n, _ := testNode(t, Config{Data: t.TempDir(), Partitions: partitions})
	defer closeNode(t, n)
	wrong, err := kgo.NewClient(kgo.SeedBrokers(n.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	for i := range persons {
		person := fmt.Appendf(nil, "person %d", i)
		r := &kgo.Record{Topic: queue.TopicPageviews, Partition: (record.PartitionOf(person, partitions) + 1) % partitions, Key: person, Value: pageview(person, i)}
		if err := wrong.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := n.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := viewsNow(t, n); got != uint64(i+1) {
			t.Fatalf("%d pageviews after catching up with %d", got, i+1)
		}
	}
}

// Over HTTP, while partitions are added: every answer to ?wait=applied is true, and
// a collector appends to the new partitions as soon as it knows of the log epoch.
func TestWaitAppliedWhilePartitionsAreAdded(t *testing.T) {
	t.Parallel() // it waits more than it works
	c := newTestCluster(t)
	c.join(t, "a", RoleProcessor)
	o := c.options("front", RoleCollector|RoleQuery)
	o.HTTP = &HTTPConfig{Listen: "127.0.0.1:0"}
	front, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer closeNode(t, front)
	posted := 0
	post := func() {
		t.Helper()
		person := fmt.Appendf(nil, "person %d", posted)
		resp, err := http.Post(front.URL()+"/api/v1/pageviews?wait=applied", "application/json", bytes.NewReader(pageview(person, posted)))
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		posted++
		switch resp.StatusCode {
		case http.StatusOK:
		case http.StatusAccepted: // not applied in time, and the answer does not claim it
			eventually(t, "what was taken is not applied", func() bool { return viewsNow(t, front) >= uint64(posted) })
		default:
			t.Fatal(resp.Status)
		}
		if got := viewsNow(t, front); got != uint64(posted) {
			t.Fatalf("%d pageviews after %d were applied", got, posted)
		}
	}
	for range 10 {
		post()
	}
	if err := front.queue.AddPartitions(t.Context(), 12); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); front.epochNow().Number == 0 && time.Now().Before(deadline); {
		post()
	}
	for range 40 {
		post()
	}
	eventually(t, "the collector appends to the old partitions", func() bool {
		person := fmt.Appendf(nil, "late person %d", posted)
		at, err := front.queue.AppendSync(t.Context(), []queue.Message{{Person: person, Value: pageview(person, posted)}})
		posted++
		return err == nil && at[0].Partition >= 8 && at[0].Partition == record.PartitionOf(person, 12)
	})
}

// viewsNow is how many pageviews foo.com/a has.
func viewsNow(t *testing.T, n *Node) uint64 {
	t.Helper()
	a, err := n.engine.Pageviews(t.Context(), query.URLQuery{URL: "foo.com/a", From: "2026-01-05T10:00Z", To: "2026-01-05T11:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	return a.Pageviews
}

// pageview is the n-th one of foo.com/a, as viewPages has them.
func pageview(person []byte, n int) []byte {
	return event.AppendJSON(nil, &event.Pageview{Nonce: fmt.Appendf(nil, "%d", n), HasNonce: true, Person: person,
		URL: []byte("http://foo.com/a"), TS: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC).UnixMilli()})
}
