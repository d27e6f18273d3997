package embedded

import (
	"encoding/binary"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"speedlayer/queue"
)

var (
	frameCount = flag.Int("frames", 1000, "random requests that TestRandomFrames sends")
	frameSeed  = flag.Uint64("frames-seed", 0, "of TestRandomFrames; 0 takes one from the clock")
)

// Whatever arrives at the port, the process lives, its memory stays within bounds,
// and the log is as the system left it, but for what was appended as an event.
func TestRandomFrames(t *testing.T) {
	seed := *frameSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	b, c := start(t)
	if _, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte("ann"), Value: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	before, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	edges, err := c.EdgeLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	for i := range *frameCount {
		if conn == nil || i%3 == 0 {
			if conn != nil {
				_ = conn.Close() // what it still sends is not waited for
			}
			if conn, err = net.Dial("tcp", b.Addr()); err != nil {
				t.Fatal(err)
			}
			go func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }(conn) // ends with the connection
		}
		if _, err := conn.Write(randomFrame(r)); err != nil {
			_ = conn.Close()
			conn = nil
		}
	}
	if _, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte("ann"), Value: []byte("{}")}}); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	after, err := c.Info(t.Context())
	if err != nil || after.ID != before.ID || after.Partitions != before.Partitions {
		t.Errorf("seed %d: the topic was %v and is %v, %v", seed, before, after, err)
	}
	for part := range after.Starts {
		if after.Starts[part] != 0 || after.Ends[part] < before.Ends[part] {
			t.Errorf("seed %d: partition %d is [%d, %d)", seed, part, after.Starts[part], after.Ends[part])
		}
	}
	if now, err := c.EdgeLog(t.Context()); err != nil || now != edges {
		t.Errorf("seed %d: equivs were %v and are %v, %v", seed, edges, now, err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapInuse > 512<<20 {
		t.Errorf("seed %d: %d MiB in use", seed, m.HeapInuse>>20)
	}
	_ = conn.Close()
}

// randomFrame is a request of the protocol in which some bytes are others, or noise.
func randomFrame(r *rand.Rand) []byte {
	key := int16(r.IntN(95))
	req := kmsg.RequestForKey(key)
	if req == nil || r.IntN(10) == 0 {
		noise := make([]byte, 4+r.IntN(200))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		return noise
	}
	req.SetVersion(int16(r.IntN(int(req.MaxVersion()) + 1)))
	fill(r, req)
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("noise")).AppendRequest(nil, req, int32(r.Uint32()))
	for range r.IntN(4) {
		frame[8+r.IntN(len(frame)-8)] = byte(r.Uint32())
	}
	if r.IntN(3) == 0 {
		tail := make([]byte, r.IntN(100))
		for i := range tail {
			tail[i] = byte(r.Uint32() & 0x83)
		}
		frame = append(frame, tail...)
		binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	}
	return frame
}
