package descriptors

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Listen returns l with at most n connections open at a time: further clients
// wait in the system's queue until one is closed. An error that passes, as when
// there are no descriptors left, does not reach the caller: Accept tries again.
// name is the port's flag, for the log; logger may be nil.
func Listen(l net.Listener, n int, name string, logger *slog.Logger) net.Listener {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &listener{Listener: l, name: name, log: logger, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

type listener struct {
	net.Listener
	name   string
	log    *slog.Logger
	slots  chan struct{} // one element for each open connection
	closed chan struct{}
	once   sync.Once
	said   time.Time // when the log last had a line; only Accept uses it
}

// sayEvery is how often the log may have a line about a port.
const sayEvery = time.Minute

// Accept is called by one goroutine at a time.
func (l *listener) Accept() (net.Conn, error) {
	if err := l.acquire(); err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		c, err := l.Listener.Accept()
		if err == nil {
			return &conn{Conn: c, l: l}, nil
		}
		if l.isClosed() || errors.Is(err, net.ErrClosed) {
			<-l.slots
			return nil, err
		}
		l.say("a connection cannot be accepted, trying again", "err", err)
		select {
		case <-time.After(min(time.Second, 5*time.Millisecond<<min(attempt, 8))):
		case <-l.closed:
		}
	}
}

// acquire takes a slot, and waits for one if all are taken.
func (l *listener) acquire() error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	l.say("as many connections are open as the limit on open files allows; further clients wait", "connections", cap(l.slots))
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-l.closed:
		return net.ErrClosed
	}
}

func (l *listener) say(message string, args ...any) {
	if now := time.Now(); now.Sub(l.said) >= sayEvery {
		l.said = now
		l.log.Warn(message, append([]any{"port", l.name}, args...)...)
	}
}

func (l *listener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// Close ends an Accept that waits.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn gives its slot back when it is closed.
type conn struct {
	net.Conn
	l    *listener
	once sync.Once
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.l.slots })
	return err
}
