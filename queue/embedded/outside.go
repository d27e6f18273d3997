package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

// The broker makes room for whatever length a request announces, waits for ever
// for the rest, and sends as much as a client asks for. So requests of other
// programs are read here, one by one, and the broker gets whole requests only.

// Bounds of what comes from the port.
const (
	maxOther     = 256 << 10 // bytes of a request other than produce
	firstBytes   = 4 << 10   // of a request that has begun: more is made room for as it comes
	maxReceived  = 128 << 20 // bytes of all requests that are being received
	countedBytes = 1 << 10   // shorter requests are not counted
	// otherWeight is how many bytes the broker may need for one of a request that is
	// not produce: lists of small elements become larger in memory.
	otherWeight = 64
	maxFetched  = 8 << 20         // bytes of an answer to fetch, but for one batch
	maxWaited   = 5 * time.Minute // that a fetch may wait for records

	idleTime     = 10 * time.Minute // without a request; Kafka's connections.max.idle.ms
	receiveTime  = 10 * time.Second // for a request; and minRate for a long one
	receiveRate  = 64 << 10         // bytes a second
	roomTime     = 5 * time.Second  // that a request waits until others need less room
	answerTime   = 30 * time.Second // in which a client takes an answer, and answerRate for a long one
	keptBuffer   = 256 << 10        // bytes of a connection's buffer that are kept between requests
	replacedKey  = 18               // the request that stands in for one that is rejected (ApiVersions)
	notAllowed   = 87               // the protocol's INVALID_RECORD
	frameAt      = 4                // where a frame's content begins, after its length
	headOfFrames = 12               // length, key, version, correlation id
)

// outside is what the connections of other programs share.
type outside struct {
	log  *slog.Logger
	room *semaphore.Weighted // bytes of maxReceived
}

func newOutside(log *slog.Logger) *outside {
	return &outside{log: log, room: semaphore.NewWeighted(maxReceived)}
}

// outsideListener accepts connections of other programs.
type outsideListener struct {
	net.Listener
	*outside
}

func (l outsideListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	o := &outsideConn{Conn: c, outside: l.outside}
	o.settled.L = &o.mu
	return o, nil
}

// outsideConn reads requests. The broker's goroutines call Read and Write, each
// from one goroutine at a time.
type outsideConn struct {
	net.Conn
	*outside
	buffer []byte       // of a request
	rest   []byte       // of the last request, for the broker to read
	taken  atomic.Int64 // of room

	mu struct {
		sync.Mutex
		rejected map[int32][]byte   // answers to requests that did not reach the broker, by correlation id
		waiting  map[int32]struct{} // requests that the broker may answer late
	}
	settled sync.Cond // on mu: waiting has become empty, or the connection is closed
	closed  bool      // guarded by mu
}

// Read passes on requests that were checked.
func (c *outsideConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if err := c.next(); err != nil {
			c.giveBack()
			c.log.Debug("broker: a connection ends", "from", c.RemoteAddr(), "err", err)
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Close also ends a Read that waits for answers.
func (c *outsideConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.settled.Broadcast()
	c.giveBack() // the broker does not read again after a request that it cannot read
	return c.Conn.Close()
}

func (c *outsideConn) giveBack() {
	c.room.Release(c.taken.Swap(0))
}

// next receives a request and checks it.
func (c *outsideConn) next() error {
	c.giveBack() // the broker has taken the last one
	if cap(c.buffer) > keptBuffer {
		c.buffer = nil
	}
	if err := c.SetReadDeadline(time.Now().Add(idleTime)); err != nil {
		return err
	}
	c.buffer = append(c.buffer[:0], make([]byte, headOfFrames)...)
	if _, err := io.ReadFull(c.Conn, c.buffer[:1]); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(receiveTime)); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.Conn, c.buffer[1:frameAt]); err != nil {
		return err
	}
	if err := checkLength(binary.BigEndian.Uint32(c.buffer)); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.Conn, c.buffer[frameAt:]); err != nil {
		return err
	}
	if err := checkRequest(c.buffer); err != nil {
		return err
	}
	if err := c.receive(int(binary.BigEndian.Uint32(c.buffer)) + frameAt); err != nil {
		return err
	}
	var err error
	c.rest, err = c.admit(c.buffer)
	return err
}

// receive makes room for a request as it comes, up to its size.
func (c *outsideConn) receive(size int) error {
	weight := int64(1)
	if c.key() != produceKey {
		weight = otherWeight
		if size > maxOther {
			return fmt.Errorf("broker: request %d of %d bytes: allowed are %d", c.key(), size, maxOther)
		}
	}
	if size > countedBytes {
		c.waitForAnswers()
	}
	until := time.Now().Add(receiveTime + time.Duration(size/receiveRate)*time.Second)
	if err := c.SetReadDeadline(until); err != nil {
		return err
	}
	for have := len(c.buffer); have < size; have = len(c.buffer) {
		n := min(size-have, max(have, firstBytes))
		if size > countedBytes {
			if err := c.take(int64(n) * weight); err != nil {
				return err
			}
		}
		c.buffer = append(c.buffer, make([]byte, n)...)
		if _, err := io.ReadFull(c.Conn, c.buffer[have:]); err != nil {
			return err
		}
	}
	return nil
}

func (c *outsideConn) key() int16 { return int16(binary.BigEndian.Uint16(c.buffer[frameAt:])) }

// take makes room; it waits a while for that of others.
func (c *outsideConn) take(n int64) error {
	if !c.room.TryAcquire(n) {
		ctx, cancel := context.WithTimeout(context.Background(), roomTime)
		defer cancel()
		if err := c.room.Acquire(ctx, n); err != nil {
			return fmt.Errorf("broker: requests of more than %d bytes are being received", maxReceived)
		}
	}
	c.taken.Add(n)
	return nil
}

// waitForAnswers returns when the broker has answered all that it may answer late:
// no room is held meanwhile.
func (c *outsideConn) waitForAnswers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.mu.waiting) > 0 && !c.closed {
		c.settled.Wait()
	}
}

// admit checks a request. It returns what the broker gets in its place.
func (c *outsideConn) admit(frame []byte) ([]byte, error) {
	body := frame[frameAt:]
	switch key := c.key(); key {
	case produceKey:
		var bad error // the whole request is read before it is answered
		if err := eachBatch(body, func(records []byte) {
			if bad == nil {
				bad = checkProduced(records)
			}
		}); err != nil {
			return nil, err
		}
		if bad != nil {
			return c.reject(frame, bad)
		}
		return frame, nil
	case fetchKey:
		c.expect(frame)
		return boundFetch(frame), nil
	default:
		c.expect(frame)
		return frame, nil
	}
}

// expect notes that a request has an answer to come.
func (c *outsideConn) expect(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.waiting == nil {
		c.mu.waiting = map[int32]struct{}{}
	}
	c.mu.waiting[correlation(frame)] = struct{}{}
}

func correlation(frame []byte) int32 { return int32(binary.BigEndian.Uint32(frame[8:])) }

// reject keeps the answer to a produce request that is not passed on. In its place
// the broker gets a small one with the same correlation id, so that the answers
// keep their order.
func (c *outsideConn) reject(frame []byte, why error) ([]byte, error) {
	answer, err := rejectProduced(frame[frameAt:], notAllowed, why.Error())
	if err != nil || answer == nil {
		return nil, fmt.Errorf("broker: %w", why) // the client gets no answer; the connection ends
	}
	c.log.Warn("broker: records of another program are rejected", "from", c.RemoteAddr(), "err", why)
	c.mu.Lock()
	if c.mu.rejected == nil {
		c.mu.rejected = map[int32][]byte{}
	}
	c.mu.rejected[correlation(frame)] = answer
	c.mu.Unlock()
	stand := []byte{0, 0, 0, 10, 0, replacedKey, 0, 0, 0, 0, 0, 0, 0xff, 0xff}
	copy(stand[8:headOfFrames], frame[8:headOfFrames])
	return stand, nil
}

// Write sends answers, which are whole ones.
func (c *outsideConn) Write(p []byte) (int, error) {
	out := p
	c.mu.Lock()
	if len(c.mu.rejected) > 0 {
		out = c.replace(p)
	}
	for at := p; len(c.mu.waiting) > 0 && len(at) >= 8; {
		delete(c.mu.waiting, int32(binary.BigEndian.Uint32(at[4:])))
		at = at[min(len(at), int(binary.BigEndian.Uint32(at))+frameAt):]
	}
	if len(c.mu.waiting) == 0 {
		c.settled.Broadcast()
	}
	c.mu.Unlock()
	limit := answerTime + time.Duration(len(out)/receiveRate)*time.Second
	if err := c.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	if _, err := c.Conn.Write(out); err != nil {
		if os.IsTimeout(err) {
			c.log.Warn("broker: a client does not read its answers, and is cut off", "from", c.RemoteAddr())
		}
		return 0, err
	}
	return len(p), nil
}

// replace puts the answers to rejected requests in the place of those to their
// stand-ins. The caller holds mu.
func (c *outsideConn) replace(p []byte) (out []byte) {
	for len(p) >= 8 {
		n := min(len(p), int(binary.BigEndian.Uint32(p))+frameAt)
		id := int32(binary.BigEndian.Uint32(p[4:]))
		if answer, ok := c.mu.rejected[id]; ok {
			out = append(out, answer...)
			delete(c.mu.rejected, id)
		} else {
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	return append(out, p...)
}

// fetchKey is the request for records.
const fetchKey = 1

// boundFetch lowers what a fetch asks for. What cannot be read is left for the
// broker to refuse.
func boundFetch(frame []byte) []byte {
	req := kmsg.NewPtrFetchRequest()
	body := frame[frameAt:]
	req.SetVersion(int16(binary.BigEndian.Uint16(body[2:])))
	if readRequest(body, req) != nil {
		return frame
	}
	if req.MaxBytes <= maxFetched && req.MaxWaitMillis <= int32(maxWaited.Milliseconds()) {
		return frame
	}
	req.MaxBytes = min(req.MaxBytes, maxFetched)
	req.MaxWaitMillis = min(req.MaxWaitMillis, int32(maxWaited.Milliseconds()))
	out := req.AppendTo(append([]byte(nil), frame[:frameAt+requestHead(body, req)]...))
	binary.BigEndian.PutUint32(out, uint32(len(out)-frameAt))
	return out
}

// requestHead is where the body of a request begins, after key, version,
// correlation id, client id and tags.
func requestHead(b []byte, req kmsg.Request) int {
	r := kbin.Reader{Src: b[8:]}
	_ = r.NullableString()
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	return len(b) - len(r.Src)
}

// readRequest reads a request from its key on.
func readRequest(b []byte, req kmsg.Request) error {
	return req.ReadFrom(b[requestHead(b, req):])
}

// answerOf is the frame of an answer to a request.
func answerOf(body []byte, resp kmsg.Response) []byte {
	b := append([]byte{0, 0, 0, 0}, body[4:8]...)
	if resp.IsFlexible() && resp.Key() != replacedKey {
		b = append(b, 0) // tags
	}
	b = resp.AppendTo(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-frameAt))
	return b
}
