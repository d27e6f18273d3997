package embedded

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
)

func startBroker(t testing.TB, dir string) *Broker {
	t.Helper()
	b, err := Start(Config{Dir: dir, Produce: []string{queue.TopicPageviews}, Read: []string{queue.TopicPageviews, queue.TopicEquivs, queue.TopicRejected}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dial(t testing.TB, b *Broker) *queue.Client {
	t.Helper()
	c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Dialer: b.Dialer()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t testing.TB) (*Broker, *queue.Client) {
	b := startBroker(t, t.TempDir())
	c := dial(t, b)
	t.Cleanup(func() {
		c.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, c
}

func open(t *testing.T, dir string) (*Broker, *queue.Client) {
	t.Helper()
	b := startBroker(t, dir)
	return b, dial(t, b)
}

// readAll returns copies of all records of topic pageviews.
func readAll(t testing.TB, c *queue.Client) (recs []kgo.Record) {
	t.Helper()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for part := range info.Partitions {
		if err := c.ReadAll(t.Context(), part, info.Starts[part], info.Ends[part], func(r *kgo.Record) error {
			copied := *r
			copied.Key, copied.Value = append([]byte(nil), r.Key...), append([]byte(nil), r.Value...)
			recs = append(recs, copied)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return recs
}

// entryOf is an entry of the broker's logs of groups and producers.
func entryOf(data []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(data)+2))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(binary.LittleEndian.AppendUint16(b, 1), data...)
	binary.LittleEndian.PutUint32(b[4:], checksum(b[entryHead:]))
	return b
}
