package embedded

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"speedlayer/queue"
	"speedlayer/record"
)

// producer is a transactional producer of a client that is not ours.
func producer(t *testing.T, b *Broker, id string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	p, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addr()), kgo.TransactionalID(id),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func value(text string) *kgo.Record {
	return &kgo.Record{Topic: queue.TopicPageviews, Key: []byte("ann"), Value: []byte(text)}
}

func produce(t *testing.T, p *kgo.Client, texts ...string) {
	t.Helper()
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if err := p.ProduceSync(t.Context(), value(text)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func end(t *testing.T, p *kgo.Client, how kgo.TransactionEndTry) {
	t.Helper()
	if err := p.EndTransaction(t.Context(), how); err != nil {
		t.Fatal(err)
	}
}

// committed are the values of partition 0 up to where the log is stable.
func committed(t *testing.T, c *queue.Client) (texts []string, info queue.TopicInfo) {
	t.Helper()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ReadAll(t.Context(), 0, info.Starts[0], info.Stable[0], func(r *kgo.Record) error {
		texts = append(texts, string(r.Value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return texts, info
}

// Readers are given what is committed, and their position moves past ends of
// transactions and past what was aborted, also where nothing follows.
func TestReadCommitted(t *testing.T) {
	b, c := start(t)
	p := producer(t, b, "shop")
	for i := range 3 {
		produce(t, p, fmt.Sprint("committed ", i))
		end(t, p, kgo.TryCommit)
		produce(t, p, fmt.Sprint("aborted ", i))
		end(t, p, kgo.TryAbort)
		want := []string{"committed 0", "committed 1", "committed 2"}[:i+1]
		texts, info := committed(t, c)
		if !slices.Equal(texts, want) || info.Stable[0] != info.Ends[0] || info.Ends[0] != int64(4*(i+1)) {
			t.Fatalf("readers are given %q up to %d of %d, want %q", texts, info.Stable[0], info.Ends[0], want)
		}
	}
	r, err := c.NewReader(0, 10) // nothing but an aborted record and the end of its transaction
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if recs, err := r.Poll(t.Context(), nil); err != nil || len(recs) != 0 || r.Position() != 12 || r.Behind() != 0 {
		t.Fatalf("%d records, %v: want none, and position 12 instead of %d", len(recs), err, r.Position())
	}
}

// An open transaction holds back what follows it, whichever client wrote that; one that
// waits for it is told so. Its timeout ends it.
func TestOpenTransactionHoldsBack(t *testing.T) {
	b, c := start(t)
	p := producer(t, b, "shop", kgo.TransactionTimeout(2*time.Second))
	produce(t, p, "open")
	m, err := c.NewRerouter()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Reroute(0, []byte("ann"), []byte("after"), record.Source{})
	if err := m.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	held, err := c.NewEnds().Held(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// On a slow machine the timeout may have come already.
	if len(held) > 0 && held[0] != (queue.Held{Partition: 0, From: 0, Offsets: 2}) {
		t.Errorf("held back is %+v", held)
	}
	var texts []string
	if err := c.ReadAll(t.Context(), 0, 0, 2, func(r *kgo.Record) error { // waits for the timeout
		texts = append(texts, string(r.Value))
		return nil
	}); err != nil || !slices.Equal(texts, []string{"after"}) {
		t.Errorf("readers are given %q, %v", texts, err)
	}
	if err := p.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("a transaction whose timeout has ended it was committed")
	}
}

// A kill ends open transactions, for good: what they wrote is never given to a
// reader, whatever the producer of the same name commits afterwards, and however
// often the broker is killed again.
func TestKillWithOpenTransaction(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 5))
	dir := t.TempDir()
	var want []string
	for round := range 6 {
		b, c := open(t, dir)
		if texts, info := committed(t, c); !slices.Equal(texts, want) || info.Stable[0] != info.Ends[0] {
			t.Fatalf("round %d: readers are given %q up to %d of %d, want %q", round, texts, info.Stable[0], info.Ends[0], want)
		}
		p := producer(t, b, "shop")
		for range r.IntN(3) {
			text := fmt.Sprintf("%d: committed", round)
			produce(t, p, text)
			end(t, p, kgo.TryCommit)
			want = append(want, text)
		}
		produce(t, p, "open", "open")
		at, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte("x"), Value: []byte("{}")}})
		if err != nil {
			t.Fatal(err)
		}
		if at[0].Partition == 0 {
			t.Fatal("another partition was meant")
		}
		id, epoch, err := p.ProducerID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := killed(t, dir)
		if round%2 == 1 {
			tear(t, r, next)
		}
		c.Close()
		p.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = startBroker(t, killed(t, next))
		if err := lateCommit(t, b, id, epoch); err == nil {
			t.Fatalf("round %d: a transaction that the kill ended was committed", round)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		dir = next
	}
}

// lateCommit is the commit of a producer that lived on through a kill.
func lateCommit(t *testing.T, b *Broker, id int64, epoch int16) error {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = "shop", id, epoch, true
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// A kill between two partitions of one commit: the other is committed too, and
// the producer's commit, sent again, is confirmed. A graceful stop keeps a
// transaction open, and a kill after it ends that as well.
func TestKillInsideCommit(t *testing.T) {
	dir := t.TempDir()
	b, c := open(t, dir)
	p := producer(t, b, "shop")
	produce(t, p, "one")
	other := value("two")
	other.Partition = 1
	if err := p.ProduceSync(t.Context(), other).FirstErr(); err != nil {
		t.Fatal(err)
	}
	id, epoch, err := p.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := killed(t, dir)
	end(t, p, kgo.TryCommit)
	after := killed(t, dir)
	c.Close()
	p.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// Partition 0 as it was after the commit, all else as it was before.
	part := filepath.Join("log", partitionsDir, queue.TopicPageviews+"-0")
	if err := os.RemoveAll(filepath.Join(before, part)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(before, part), os.DirFS(filepath.Join(after, part))); err != nil {
		t.Fatal(err)
	}
	b, c = open(t, before)
	defer b.Close()
	defer c.Close()
	if texts, info := committed(t, c); !slices.Equal(texts, []string{"one"}) || info.Ends[1] != 2 || info.Stable[1] != 2 {
		t.Errorf("readers of partition 0 are given %q; partition 1 ends at %d, stable at %d", texts, info.Ends[1], info.Stable[1])
	}
	n := 0
	if err := c.ReadAll(t.Context(), 1, 0, 2, func(*kgo.Record) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d records in partition 1, %v: want the one that was being committed", n, err)
	}
	if err := lateCommit(t, b, id, epoch); err != nil {
		t.Errorf("the commit, sent again, is refused: %v", err)
	}
}

// A transaction that was open at a graceful stop goes on after it; if the broker
// is killed then, it ends, also where nothing was written since.
func TestGracefulStopThenKill(t *testing.T) {
	dir := t.TempDir()
	b, c := open(t, dir)
	p := producer(t, b, "shop")
	produce(t, p, "open")
	id, epoch, err := p.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := b.Close(); err != nil { // the producer lives on
		t.Fatal(err)
	}
	p.Close()
	b, c = open(t, dir)
	if _, info := committed(t, c); info.Stable[0] != 0 || info.Ends[0] != 1 {
		t.Errorf("after a graceful stop the log is stable up to %d of %d, want 0 of 1", info.Stable[0], info.Ends[0])
	}
	left := killed(t, dir)
	if err := lateCommit(t, b, id, epoch); err != nil {
		t.Errorf("the transaction did not go on: %v", err)
	}
	if texts, _ := committed(t, c); !slices.Equal(texts, []string{"open"}) {
		t.Errorf("readers are given %q", texts)
	}
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, c = open(t, left)
	defer b.Close()
	defer c.Close()
	if texts, info := committed(t, c); len(texts) != 0 || info.Stable[0] != info.Ends[0] {
		t.Errorf("after a kill readers are given %q, up to %d of %d", texts, info.Stable[0], info.Ends[0])
	}
}
