package collector

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// Listener stands between a port and the http.Server that serves it. It answers
// the plainest of requests itself (see plain.go): one POST /api/v1/pageviews
// behind the other on a connection, which net/http would spend most of its time
// on. A connection on which anything else is asked for is the server's, with
// all bytes that were read of it, and stays so. Both ways run the same code from
// the body on.
//
// Close, which http.Server's Shutdown calls, lets requests in flight end.
func (c *Collector) Listener(l net.Listener) net.Listener {
	f := &listener{Listener: l, c: c, handed: make(chan net.Conn), errs: make(chan error), closed: make(chan struct{})}
	f.mu.conns = make(map[*plainConn]struct{})
	f.done.Go(f.accept)
	return f
}

// listener owns a goroutine that accepts, and one for each connection that is
// not handed on; they end with it.
type listener struct {
	net.Listener
	c       *Collector
	handed  chan net.Conn // to Accept
	errs    chan error    // to Accept
	closed  chan struct{}
	closing atomic.Bool
	done    sync.WaitGroup // of the accepting goroutine
	mu      struct {
		sync.Mutex
		conns map[*plainConn]struct{}
	}
}

// Accept returns the connections that are the server's.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.handed:
		return c, nil
	case err := <-l.errs:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// accept passes errors on, one for each call of Accept: when and whether to go
// on is the server's to say.
func (l *listener) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			l.serve(conn)
			continue
		}
		select {
		case l.errs <- err:
		case <-l.closed:
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

func (l *listener) serve(conn net.Conn) {
	p := &plainConn{conn: conn, l: l, buf: make([]byte, plainBytes)}
	l.mu.Lock()
	l.mu.conns[p] = struct{}{}
	l.mu.Unlock()
	go func() {
		handOn := p.serve()
		l.mu.Lock()
		delete(l.mu.conns, p)
		l.mu.Unlock()
		if !handOn {
			_ = conn.Close()
			return
		}
		select {
		case l.handed <- &handedConn{Conn: conn, read: p.buf[:p.have]}:
		case <-l.closed:
			_ = conn.Close()
		}
	}()
}

// Close stops accepting, and ends connections as soon as they are idle.
func (l *listener) Close() error {
	if l.closing.Swap(true) {
		return net.ErrClosed
	}
	close(l.closed)
	err := l.Listener.Close()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.mu.conns {
		p.wake()
	}
	return err
}

// handedConn is a connection of which some bytes were read already.
type handedConn struct {
	net.Conn
	read []byte
}

func (c *handedConn) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	if c.read = c.read[n:]; len(c.read) == 0 {
		c.read = nil // and the buffer with it
	}
	return n, nil
}
