package collector

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/queue"
	"speedlayer/verify/oracle"
)

// Clients that send again until they get an answer, over connections that break
// before it: in the log of the real broker, everything that was acknowledged is
// there, and with the duplicates dropped it counts once.
func TestRetriesCountOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	q := startQueue(t)
	s := serve(t, q)
	var wg sync.WaitGroup
	const clients, each = 8, 80
	for n := range clients {
		wg.Go(func() {
			c := retrier{s.Listener.Addr().String(), rand.New(rand.NewPCG(seed, uint64(n)))}
			for i := range each {
				if err := c.post(fmt.Sprintf("%d-%d", n, i), fmt.Sprintf("person-%d", n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	partitions, records := readLog(t, q)
	hour := event.HourOf(clock.UnixMilli())
	answers := oracle.NewAnswers(0, partitions...)
	if n := answers.Pageviews("foo.com/", hour, hour+1); n != clients*each {
		t.Errorf("%d pageviews count, want %d acknowledged ones", n, clients*each)
	}
	if records == clients*each {
		t.Errorf("%d records: nothing was sent twice, so nothing was tested", records)
	}
}

// retrier posts, and often hangs up without waiting for the answer.
type retrier struct {
	addr   string
	random *rand.Rand
}

func (r *retrier) post(nonce, person string) error {
	body := fmt.Sprintf(`{"nonce":%q,"person":%q,"url":"http://foo.com/"}`, nonce, person)
	request := postHead(len(body)) + body
	for {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		if r.random.IntN(2) == 0 {
			_ = conn.Close()
			continue
		}
		answer := make([]byte, 16)
		_, err = io.ReadFull(conn, answer)
		_ = conn.Close()
		if err == nil && strings.HasPrefix(string(answer), "HTTP/1.1 202") {
			return nil
		}
		return fmt.Errorf("answer %q, %w", answer, err)
	}
}

func readLog(t *testing.T, q *queue.Client) (partitions []*oracle.Oracle, records int) {
	t.Helper()
	info, err := q.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for part := range info.Partitions {
		o := oracle.New(oracle.Options{Partition: part, Partitions: info.Partitions, Settings: oracle.DefaultSettings()})
		err := q.ReadAll(t.Context(), part, info.Starts[part], info.Ends[part], func(r *kgo.Record) error {
			records++
			o.Add(oracle.Record{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(),
				Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if dead := o.DeadLetters(); len(dead) > 0 {
			t.Errorf("dead letter: %s", dead[0].Reason)
		}
		partitions = append(partitions, o)
	}
	return partitions, records
}
