package httpserver

import (
	"net"
	"sync"
	"time"
)

// writeBuffer is the kernel's buffer of what a client has not read yet, in bytes.
// With a larger one, the kernel lets a writer wait for many seconds until a slow
// client has read enough of it, and rates could not be told.
const writeBuffer = 256 << 10

type pacedListener struct{ net.Listener }

func (l pacedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(writeBuffer) // the default works, less precisely
	}
	return &pacedConn{Conn: c, credit: WriteGrace}, nil
}

// pacedConn bounds the time that writes may wait for the client. A connection has
// a credit of time. Waiting uses it up, and what the client takes gives some
// back, as much as it takes at MinRate. So an answer that makes progress may be
// as long as it likes, a stream with long pauses too, and a client that hardly
// reads is cut off.
type pacedConn struct {
	net.Conn

	mu     sync.Mutex // of writes; net/http makes one at a time
	credit time.Duration
	set    time.Time // the deadline that the connection has; zero is none
	wanted struct {  // by SetWriteDeadline
		sync.Mutex
		deadline time.Time
	}
}

// Write implements net.Conn.
func (c *pacedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begin := time.Now()
	earned := time.Duration(len(p)) * time.Second / MinRate
	due := begin.Add(c.credit + earned)
	c.wanted.Lock()
	if d := c.wanted.deadline; !d.IsZero() && d.Before(due) {
		due = d
	}
	c.wanted.Unlock()
	// A deadline that is up to a second earlier is good enough, and saves most of
	// the calls that set one.
	if slack := due.Sub(c.set); slack < 0 || slack > time.Second {
		c.set = due
		if err := c.Conn.SetWriteDeadline(due); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Write(p)
	waited := time.Since(begin)
	c.credit = max(0, min(WriteGrace, c.credit+time.Duration(n)*time.Second/MinRate-waited))
	return n, err
}

// SetWriteDeadline implements net.Conn. The deadline holds from the next write
// on, in addition to the connection's own.
func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	c.wanted.Lock()
	defer c.wanted.Unlock()
	c.wanted.deadline = t
	return nil
}

// SetDeadline implements net.Conn.
func (c *pacedConn) SetDeadline(t time.Time) error {
	_ = c.SetWriteDeadline(t)
	return c.Conn.SetReadDeadline(t)
}
