package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
)

// Whatever times clients of the Kafka protocol give their records, the log has
// the broker's: else one record from the year 2036 would make dedupe forget all
// it remembers.
func TestTimesAreTheBrokers(t *testing.T) {
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.ZstdCompression()} {
		dir := t.TempDir()
		b := startBroker(t, dir)
		c := dial(t, b)
		theirs, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		before := time.Now().Truncate(time.Millisecond)
		var records []*kgo.Record
		for _, years := range []int{10, -10, 0} {
			for n := range 20 {
				records = append(records, &kgo.Record{Topic: queue.TopicPageviews, Key: []byte("sally"),
					Value: fmt.Appendf(nil, "%d", n), Timestamp: time.Now().AddDate(years, 0, 0)})
			}
			if err := theirs.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			records = nil
		}
		theirs.Close()
		check := func(c *queue.Client) {
			t.Helper()
			recs := readAll(t, c)
			if len(recs) != 60 {
				t.Fatalf("%d records, want 60", len(recs))
			}
			for _, r := range recs {
				// A batch keeps the differences between its records, here below a second.
				if r.Timestamp.Before(before.Add(-time.Second)) || r.Timestamp.After(time.Now()) {
					t.Fatalf("record %d has the time %v, which is not the broker's", r.Offset, r.Timestamp)
				}
			}
		}
		check(c)
		c.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		// The checksums that the broker verifies when it reads its files hold.
		check(dial(t, startBroker(t, dir)))
	}
}

// What is not a Kafka request ends its connection: not the process, nor its memory.
func TestStrangersAtThePort(t *testing.T) {
	b, c := start(t)
	request := func(key, version uint16) []byte {
		r := binary.BigEndian.AppendUint32(nil, 10)
		r = binary.BigEndian.AppendUint16(r, key)
		r = binary.BigEndian.AppendUint16(r, version)
		return append(r, 0, 0, 0, 1, 0xff, 0xff)
	}
	for name, bytes := range map[string][]byte{
		"HTTP": []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "TLS": {0x16, 3, 1, 2, 0, 1, 0, 1}, "nothing": {0, 0, 0, 0},
		"short": {0, 0, 0, 2, 0, 18}, "negative": {0xff, 0xff, 0xff, 0xff, 0, 0}, "unknown key": request(9999, 3),
		"negative key": request(0xffff, 3), "negative version": request(18, 0xffff), "empty produce": request(0, 9),
	} {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(bytes); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open", name)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func FuzzStampProduce(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 3, 0, 0, 0, 1, 0, 1, 'x', 0xff, 0xff, 0, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) < minRequest {
			return
		}
		n := len(body)
		stampProduce(body, 1)
		if len(body) != n {
			t.Fatal("another length")
		}
	})
}
