package descriptors

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// Every share leaves a reserve, however small the limit.
func TestDivide(t *testing.T) {
	for _, limit := range []uint64{64, Enough, 300, 1024, 1 << 20, 1 << 62} {
		b := Divide(limit)
		if b.HTTP < 1 || b.Kafka < 1 || b.Store < 16 {
			t.Errorf("limit %d: %+v: somebody has nothing", limit, b)
		}
		if rest := b.Limit - b.HTTP - b.Kafka - b.Store; rest < b.Limit/4 {
			t.Errorf("limit %d: %+v leaves %d", limit, b, rest)
		}
	}
	if b := Here(); b.Limit < 1 {
		t.Errorf("%+v", b)
	}
}

// faulty is a port whose connections and errors the test sends.
type faulty struct {
	next   chan any
	closed chan struct{}
}

func newFaulty() *faulty { return &faulty{next: make(chan any, 10), closed: make(chan struct{})} }

func (f *faulty) Accept() (net.Conn, error) {
	select {
	case v := <-f.next:
		if err, ok := v.(error); ok {
			return nil, err
		}
		return v.(net.Conn), nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}
func (f *faulty) Close() error   { close(f.closed); return nil }
func (f *faulty) Addr() net.Addr { return &net.TCPAddr{} }

// A lack of descriptors passes; the port outlives it.
func TestAcceptAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, log := newFaulty(), &bytes.Buffer{}
		l := Listen(port, 2, "--listen", slog.New(slog.NewTextHandler(log, nil)))
		for range 9 {
			port.next <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
		client, server := net.Pipe()
		defer client.Close()
		port.next <- server
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if n := strings.Count(log.String(), "too many open files"); n != 1 {
			t.Errorf("%d lines about it, want 1: %s", n, log)
		}
	})
}

// No more connections are open than allowed; each that is closed, twice or not,
// makes room for one, and a port that is closed ends the wait.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := newFaulty()
		l := Listen(port, 2, "--listen", nil)
		accepted := make(chan net.Conn, 10)
		ended := make(chan error)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					ended <- err
					return
				}
				accepted <- c
			}
		}()
		for range 5 {
			client, server := net.Pipe()
			defer client.Close()
			port.next <- server
		}
		synctest.Wait()
		if n := len(accepted); n != 2 {
			t.Fatalf("%d connections, want 2", n)
		}
		first := <-accepted
		_, _ = first.Close(), first.Close()
		synctest.Wait()
		if n := len(accepted); n != 2 {
			t.Fatalf("%d more connections, want 2", n)
		}
		_ = l.Close()
		if err := <-ended; err == nil {
			t.Error("no error of a closed port")
		}
	})
}
