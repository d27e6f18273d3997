package embedded

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Group sync
//
// The embedded broker can sync each batch of each partition by itself: two files, one
// after the other, so that 64 clients with one record each on the way wait for 16
// syncs. Instead, the port in front of it holds back the answer to a produce request
// until one sync of the whole file system has ended that began after the broker wrote
// the batch. All answers that wait share it, whatever their partition or connection.
//
// The invariant: a client reads the answer to a produce request only after a sync that
// began after the write. The steps for one request are:
//
//  1. Read passes the request on to the broker and remembers its correlation id.
//  2. The broker writes the batch to its files without a sync, and then its answer.
//     So when Write is called, the batch is written.
//  3. Write holds the answer and returns. The broker continues with the connection's
//     next request, whose batch shares the next sync.
//  4. send takes all held answers, waits for a sync that begins after that, and sends
//     them.
//
// Why not simpler ways: waiting for the sync in Write would allow one batch a sync and
// connection, since the broker handles the requests of a connection one after the
// other. Joining the sync that is running would break the invariant, since it may have
// begun before the write; wait therefore asks for the number after the one begun.
// Syncing on a timer would make a lone client wait for nothing.
//
// Answers of a connection keep their order, as the protocol demands: while answers are
// held, later ones are held after them, produce or not.
//
// The broker overlooks a sync that fails. Here the connection ends without the answer,
// and the client sends again. A failed sync stays failed (errNotBegun tells why).

// errNotBegun wraps the error of a sync that could not begin: nothing is lost,
// and it can be tried again. Every other error means that the file system failed
// to write, and that what was written before may be gone: no later sync can
// promise anything about it.
var errNotBegun = errors.New("the sync could not begin")

// groupSync shares syncs among those who wait for one. It has no goroutine of its
// own; the first to wait works for the others.
type groupSync struct {
	sync    func() error
	failed  func(error)   // told once, of a sync that failed
	closed  chan struct{} // ends retries
	closing sync.Once
	changed func() error // is told of a change of topics before it is acknowledged; nil: nobody
	mu      struct {
		sync.Mutex
		running bool
		begun   uint64 // syncs begun
		ended   uint64 // number of the last that ended
		err     error  // its result; once set it stays: what was lost stays lost
		waits   error  // why the one running cannot begin; nil if it runs
	}
	ended sync.Cond // on mu
}

func newGroupSync(do func() error, failed func(error)) *groupSync {
	g := &groupSync{sync: do, failed: failed, closed: make(chan struct{})}
	g.ended.L = &g.mu
	return g
}

// wait returns when a sync that began after the call has ended.
func (g *groupSync) wait() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	mine := g.mu.begun + 1 // the one running may have begun before the caller's write
	for g.mu.ended < mine && g.mu.err == nil {
		if g.mu.running {
			g.ended.Wait()
			continue
		}
		g.mu.running = true
		g.mu.begun++
		g.mu.Unlock()
		err := g.syncOnce()
		if err != nil && !errors.Is(err, errNotBegun) {
			g.failed(err)
		}
		g.mu.Lock()
		g.mu.running = false
		g.mu.ended = g.mu.begun
		if err != nil {
			g.mu.err = err
		}
		g.ended.Broadcast()
	}
	return g.mu.err
}

// syncOnce syncs; while the sync cannot begin, it tries again, until close.
func (g *groupSync) syncOnce() error {
	for attempt := 0; ; attempt++ {
		err := g.sync()
		if !errors.Is(err, errNotBegun) {
			g.setWaits(nil)
			return err
		}
		g.setWaits(err)
		select {
		case <-time.After(min(time.Second, time.Millisecond<<min(attempt, 10))):
		case <-g.closed:
			return err
		}
	}
}

func (g *groupSync) setWaits(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.waits = err
}

// health is why nothing is acknowledged now; nil if syncs run.
func (g *groupSync) health() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return cmp.Or(g.mu.err, g.mu.waits)
}

// close ends retries; nobody is told "durable" by it. It may be called again.
func (g *groupSync) close() { g.closing.Do(func() { close(g.closed) }) }

// syncListener is the broker's port.
type syncListener struct {
	net.Listener
	group *groupSync
}

func (l *syncListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &syncConn{Conn: c, group: l.group}
	s.sent.L = &s.mu
	return s, nil
}

// syncConn follows the frames of one connection, which in the Kafka protocol
// are length-prefixed both ways:
//
//	request:  length i32 | api key i16 | api version i16 | correlation id i32 | ...
//	response: length i32 | correlation id i32 | ...
//
// The broker takes a connection's next request when it has written the answer
// to the one before. So Write does not wait for the sync: it holds the answer,
// and all that come after it, and the requests on the way share syncs too.
type syncConn struct {
	net.Conn
	group *groupSync

	requests, responses frames

	mu struct {
		sync.Mutex
		asked   map[int32]int16 // keys of requests without an answer, by correlation id: of those that write, and describeKey
		held    []byte          // answers that wait for a sync
		spare   []byte          // the buffer that is not held
		sending bool            // send runs
		err     error           // of sending; the connection is closed then
	}
	sent sync.Cond // on mu
}

const (
	produceKey = 0
	endTxnKey  = 26 // what is committed is durable too
	// maxUnanswered bounds the ids that are remembered: requests that want no answer
	// (acks 0) leave theirs there. A connection has a few on the way at once.
	maxUnanswered = 1 << 12
	// maxHeld bounds the answers that a connection holds, in bytes, but for one.
	maxHeld = 1 << 20
)

// changesTopics are the requests that create, delete or alter topics.
func changesTopics(key int16) bool {
	switch key {
	case 19, 20, 33, 37, 44:
		return true
	}
	return false
}

// Read checks requests, and stamps the records of produce requests with the broker's
// time.
//
// Stamping changes bytes inside the request, so the whole request must be in p. The
// broker reads a request in two calls, its length and then all of it, and the second
// call is recognised by its length: frames.length is that of the frame of which exactly
// the length was read so far. A client cannot influence this, since it depends only on
// how the broker reads. Where the broker read in another way, records would keep their
// client's time, which a test would notice. The alternative is to buffer each request
// here and copy it once more.
//
// What is not a request of the Kafka protocol is rejected before the broker sees it: the
// broker would take the first four bytes of, say, an HTTP request as a length of 1.2 GB
// and allocate it.
func (c *syncConn) Read(p []byte) (n int, err error) {
	if length := c.requests.length(); length > 0 && int64(len(p)) == length {
		if n, err = io.ReadFull(c.Conn, p); err == nil && binary.BigEndian.Uint16(p) == produceKey {
			stampProduce(p, time.Now().UnixMilli())
		}
	} else {
		n, err = c.Conn.Read(p)
	}
	var bad error
	c.requests.follow(p[:n], 12, func(head []byte) {
		bad = errors.Join(bad, checkRequest(head))
		key := int16(binary.BigEndian.Uint16(head[4:]))
		if key != produceKey && key != endTxnKey && key != describeKey && !changesTopics(key) {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.mu.asked == nil || len(c.mu.asked) > maxUnanswered {
			c.mu.asked = make(map[int32]int16)
		}
		c.mu.asked[int32(binary.BigEndian.Uint32(head[8:]))] = key
	})
	if c.requests.have == 4 {
		bad = errors.Join(bad, checkLength(binary.BigEndian.Uint32(c.requests.head[:])))
	}
	if bad != nil {
		return 0, bad // the broker closes the connection
	}
	return n, err
}

func (c *syncConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	produced, written := false, len(p)
	c.responses.follow(p, 8, func(head []byte) {
		id := int32(binary.BigEndian.Uint32(head[4:]))
		key, ok := c.mu.asked[id]
		delete(c.mu.asked, id)
		switch {
		case !ok:
		case key == describeKey:
			p = fillReplicas(p) // the broker writes an answer at once
		case changesTopics(key) && c.group.changed != nil:
			c.mu.err = errors.Join(c.mu.err, c.group.changed())
			produced = true
		default:
			produced = true
		}
	})
	if c.mu.err != nil {
		return 0, c.mu.err
	}
	if !produced && !c.mu.sending {
		_, err := c.Conn.Write(p)
		return written, err
	}
	for len(c.mu.held) > maxHeld && c.mu.err == nil {
		c.sent.Wait()
	}
	c.mu.held = append(c.mu.held, p...)
	if !c.mu.sending {
		c.mu.sending = true
		go c.send() // ends when nothing is held
	}
	return written, nil
}

// send syncs, and then sends what was held before, until nothing is held.
func (c *syncConn) send() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.mu.held) > 0 && c.mu.err == nil {
		answers := c.mu.held
		c.mu.held = c.mu.spare[:0]
		c.mu.Unlock()
		err := c.group.wait()
		if err == nil {
			_, err = c.Conn.Write(answers)
		}
		if err != nil {
			_ = c.Conn.Close() // no answer: the client cannot take it for durable
		}
		c.mu.Lock()
		c.mu.spare, c.mu.err = answers, err
		c.sent.Broadcast()
	}
	c.mu.sending = false
}

// frames finds the head of each length-prefixed frame in a stream that comes in
// pieces.
type frames struct {
	head [12]byte
	have int   // bytes of the current head
	rest int64 // bytes of the current frame still to skip
}

// length is that of the frame of which exactly the length was read; else 0.
func (f *frames) length() int64 {
	if f.have != 4 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(f.head[:]))
}

// follow calls fn with the first `size` bytes of each frame that p completes the
// head of. Its last byte goes out only after the call.
func (f *frames) follow(p []byte, size int, fn func(head []byte)) {
	for len(p) > 0 {
		if f.rest > 0 {
			n := min(int64(len(p)), f.rest)
			f.rest -= n
			p = p[n:]
			continue
		}
		n := copy(f.head[f.have:size], p)
		f.have += n
		p = p[n:]
		if f.have < size {
			return
		}
		fn(f.head[:size])
		f.rest = max(0, int64(binary.BigEndian.Uint32(f.head[:]))+4-int64(size))
		f.have = 0
	}
}
