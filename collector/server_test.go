package collector

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"speedlayer/internal/httpserver"
)

// server is an http.Server that serves a collector.
type server struct {
	*httptest.Server
	c *Collector
}

func serve(t testing.TB, q Appender) *server {
	s := &server{c: New(Config{Queue: q, Now: func() time.Time { return clock }, Limits: Limits{BatchEvents: 10}})}
	mux := http.NewServeMux()
	for path, methods := range s.c.Handlers() {
		mux.Handle(path, methods)
	}
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

type client struct {
	net.Conn
	in *bufio.Reader
}

func (s *server) dial(t testing.TB) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

// postHead is the head of a POST with a body of length bytes.
func postHead(length int) string {
	return "POST /api/v1/pageviews HTTP/1.1\r\nHost: localhost:8080\r\n" +
		"Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(length) + "\r\n\r\n"
}

// answer reads one answer, and returns it as text without its Date.
func (c *client) answer() (string, error) {
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if r.Header.Get("Date") == "" {
		return "", errors.New("no Date")
	}
	r.Header.Del("Date")
	return fmt.Sprintf("%s %v length %d close %v %s", r.Status, r.Header, r.ContentLength, r.Close, body), err
}

// Shutdown lets a request in flight end, and closes idle connections.
func TestShutdown(t *testing.T) {
	q := &fakeQueue{hold: make(chan struct{}), began: make(chan struct{}, 1)}
	s := serve(t, q)
	idle, busy := s.dial(t), s.dial(t)
	if _, err := io.WriteString(busy, postHead(len(one))+one); err != nil {
		t.Fatal(err)
	}
	<-q.began
	shut := make(chan error, 1)
	go func() { shut <- s.Config.Shutdown(context.Background()) }()
	if _, err := idle.in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("idle connection after Shutdown: %v, want EOF", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.c.Close(context.Background()) }()
	close(q.hold)
	if a, err := busy.answer(); err != nil || !strings.HasPrefix(a, "202") || !strings.Contains(a, "close true") {
		t.Errorf("the request in flight: %q, %v", a, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := busy.in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("its connection afterwards: %v, want EOF", err)
	}
	if err := <-shut; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", s.Listener.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("the port is still open")
	}
}

// pipes is a listener without a network.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// A body holds as much of the bytes in flight as it has sent, whatever it
// announced, and gives that back when it comes too slowly.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTest(&fakeQueue{}, nil)
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s := httpserver.New(http.HandlerFunc(c.servePageviews), nil)
		go func() { _ = s.Serve(httpserver.Listen(p)) }()
		ours, theirs := net.Pipe()
		p.conns <- theirs
		begin := time.Now()
		if _, err := io.WriteString(ours, postHead(8<<20)+"[ "); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := c.gate.bytes(); n < 2 || n > firstRead {
			t.Errorf("%d bytes in flight for two that came", n)
		}
		r, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil || r.StatusCode != http.StatusRequestTimeout || time.Since(begin) != httpserver.ReadGrace {
			t.Errorf("%+v, %v after %v, want 408 after %v", r, err, time.Since(begin), httpserver.ReadGrace)
		}
		_ = ours.Close()
		time.Sleep(time.Second) // virtual: net/http lingers before it closes
		synctest.Wait()
		if c.gate.bytes() != 0 {
			t.Errorf("%d bytes in flight afterwards", c.gate.bytes())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
