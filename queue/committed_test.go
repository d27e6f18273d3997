package queue

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

func TestReadCommitted(t *testing.T) {
	b, _ := start(t)
	readsCommitted(t, []string{b.Addr()})
}

func TestClusterReadCommitted(t *testing.T) {
	c := clustertest.Start(t, devcluster.Options{Kafka: true})
	readsCommitted(t, c.Brokers())
}

// readsCommitted holds whatever reads the log to what is committed: records, edges
// and ends, with transactions that are committed, aborted and open.
func readsCommitted(t *testing.T, brokers []string) {
	c, err := Dial(t.Context(), Config{Brokers: brokers, Replication: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID("shop"), kgo.TransactionTimeout(10*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	transaction := func(text string) {
		t.Helper()
		edge := event.Edge{ID1: text, ID2: "b", TS: 1000}
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := p.ProduceSync(t.Context(), &kgo.Record{Topic: TopicPageviews, Key: []byte("ann"), Value: []byte(text)},
			&kgo.Record{Topic: TopicEquivs, Value: edge.AppendJSON(nil)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		t.Helper()
		if err := p.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	transaction("committed")
	end(kgo.TryCommit)
	transaction("aborted")
	end(kgo.TryAbort)
	info := stable(t, c)
	if info.Stable[0] != 4 || info.Ends[0] != 4 {
		t.Fatalf("the log is stable up to %d of %d, want 4 of 4: two records and two ends of transactions", info.Stable[0], info.Ends[0])
	}
	want := []string{"committed"}
	if got := values(t, c, 4); !slices.Equal(got, want) {
		t.Errorf("readers are given %q, want %q", got, want)
	}
	if got := edgesOf(t, c); !slices.Equal(got, want) {
		t.Errorf("edges are %q, want %q", got, want)
	}

	transaction("open")
	held, err := c.NewEnds().Held(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// On a slow machine the timeout may have ended it already.
	if len(held) > 0 && (len(held) != 1 || held[0] != Held{Partition: 0, From: 4, Offsets: 1}) {
		t.Errorf("held back is %+v", held)
	}
	if err := c.AppendMarker(t.Context(), 0, []byte("marker")); err != nil {
		t.Fatal(err)
	}
	// Who waits for the marker waits for the end of the transaction: by its timeout.
	want = append(want, "marker")
	if got := values(t, c, 6); !slices.Equal(got, want) {
		t.Errorf("readers are given %q, want %q", got, want)
	}
}

// stable returns the description of the topic, once no transaction is open. A
// cluster answers the producer before all of its ends are written.
func stable(t *testing.T, c *Client) TopicInfo {
	t.Helper()
	for {
		info, err := c.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(info.Stable, info.Ends) {
			return info
		}
	}
}

func values(t *testing.T, c *Client, to int64) (texts []string) {
	t.Helper()
	if err := c.ReadAll(t.Context(), 0, 0, to, func(r *kgo.Record) error {
		texts = append(texts, string(r.Value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return texts
}

func edgesOf(t *testing.T, c *Client) (texts []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := c.FollowEdges(ctx, func(_ int64, e event.Edge) { texts = append(texts, e.ID1) }, cancel)
	if ctx.Err() == nil {
		t.Fatal(err)
	}
	return texts
}

// A scan of what an open transaction holds back gives up, and reports it.
func TestHeldBackText(t *testing.T) {
	err := &ErrHeldBack{Topic: "pageviews", Partition: 3, Stable: 17, Wanted: 20}
	const want = "queue: topic pageviews, partition 3: an open transaction holds back the log from offset 17 on, and 20 is waited for: " +
		"its producer must end it, or its timeout does"
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}
