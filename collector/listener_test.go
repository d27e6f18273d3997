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
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"speedlayer/queue"
)

// server is an http.Server behind a collector's Listener, or without it.
type server struct {
	*httptest.Server
	c      *Collector
	handed atomic.Int64 // requests that came to net/http
}

func serve(t testing.TB, q Appender, plain bool) *server {
	s := &server{c: New(Config{Queue: q, Now: func() time.Time { return clock }, Limits: Limits{BatchEvents: 10}})}
	mux := http.NewServeMux()
	for path, methods := range s.c.Handlers() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			s.handed.Add(1)
			methods.ServeHTTP(w, r)
		})
	}
	s.Server = httptest.NewUnstartedServer(mux)
	if plain {
		s.Listener = s.c.Listener(s.Listener)
	}
	s.Start()
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

// Plain requests have the same answers, to the byte, whoever gives them.
func TestPlainAnswers(t *testing.T) {
	overloaded := &fakeQueue{fail: func(int, []byte, []byte) error { return queue.ErrOverloaded }}
	for _, q := range []Appender{&fakeQueue{}, overloaded} {
		ours, theirs := serve(t, q, true), serve(t, q, false)
		a, b := ours.dial(t), theirs.dial(t)
		for _, body := range []string{one, "[" + one + "]", "[]", "", "{", "[" + one + ",{}]", one[:20], "[" + strings.Repeat("{},", 10) + "{}]"} {
			var answers [2]string
			for i, c := range []*client{a, b} {
				var err error
				if _, err = io.WriteString(c, plainHead("", len(body))+body); err != nil {
					t.Fatal(err)
				}
				if answers[i], err = c.answer(); err != nil {
					t.Fatal(err)
				}
			}
			if answers[0] != answers[1] {
				t.Errorf("%s\nours:   %s\ntheirs: %s", body, answers[0], answers[1])
			}
		}
		if n := ours.handed.Load(); n != 0 {
			t.Errorf("%d plain requests came to net/http", n)
		}
	}
}

// A connection goes to net/http at the first request that is not plain, with all
// bytes, and stays there.
func TestHandedOn(t *testing.T) {
	plain := plainHead("", len(one)) + one
	for _, tc := range []struct {
		name   string
		writes []string // one after the other, without waiting
		status []string
		handed int64
	}{
		{"plain", []string{plain}, []string{"202"}, 0},
		{"in pieces", []string{plain[:10], plain[10:60], plain[60 : len(plain)-3], plain[len(plain)-3:]}, []string{"202"}, 0},
		{"two at once", []string{plain + plain}, []string{"202", "202"}, 2},
		{"another call", []string{"GET /js/script.js HTTP/1.1\r\nHost: a\r\n\r\n"}, []string{"200"}, 1},
		{"another call and a plain one", []string{"GET /js/script.js HTTP/1.1\r\nHost: a\r\n\r\n" + plain}, []string{"200", "202"}, 2},
		{"large", []string{plainHead("", 9000), one, strings.Repeat(" ", 9000-len(one))}, []string{"202"}, 1},
		{"large head", []string{plainHead("Accept: "+strings.Repeat("a", 9000)+"\r\n", len(one)), one}, []string{"202"}, 1},
		{"no HTTP", []string{"hello\r\n\r\n"}, []string{"400"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, &fakeQueue{}, true)
			c := s.dial(t)
			if tc.name != "plain" {
				// A plain request first, so that the connection is ours.
				if _, err := io.WriteString(c, plain); err != nil {
					t.Fatal(err)
				}
				if a, err := c.answer(); err != nil || !strings.HasPrefix(a, "202") {
					t.Fatal(a, err)
				}
			}
			for _, w := range tc.writes {
				if _, err := io.WriteString(c, w); err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range tc.status {
				if tc.name == "no HTTP" {
					if line, err := c.in.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 400") {
						t.Errorf("answer %q, %v", line, err)
					}
					return
				}
				if a, err := c.answer(); err != nil || !strings.HasPrefix(a, want) {
					t.Errorf("answer %q, %v, want %s", a, err, want)
				}
			}
			if n := s.handed.Load(); n != tc.handed {
				t.Errorf("%d requests came to net/http, want %d", n, tc.handed)
			}
		})
	}
}

// Shutdown lets a request in flight end, and closes idle connections.
func TestShutdown(t *testing.T) {
	q := &fakeQueue{hold: make(chan struct{}), began: make(chan struct{}, 1)}
	s := serve(t, q, true)
	idle, busy := s.dial(t), s.dial(t)
	if _, err := io.WriteString(busy, plainHead("", len(one))+one); err != nil {
		t.Fatal(err)
	}
	<-q.began
	if err := s.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
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

// Clients that send nothing, or a part of a request and then nothing, are shown
// the door.
func TestSlowClients(t *testing.T) {
	for _, tc := range []struct {
		sent string
		time time.Duration
	}{
		{"", idleTime},
		{plainHead("", 5), requestTime},
		{"POST /api", requestTime},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &pipes{make(chan net.Conn), make(chan struct{})}
			l := newTest(&fakeQueue{}, nil).Listener(p)
			ours, theirs := net.Pipe()
			p.conns <- theirs
			if tc.sent != "" {
				if _, err := io.WriteString(ours, tc.sent); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("after %q: %v, want EOF", tc.sent, err)
			}
			if d := time.Since(begin); d != tc.time {
				t.Errorf("after %q: closed after %v, want %v", tc.sent, d, tc.time)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A body that comes too slowly gives back its share of the bytes in flight.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTest(&fakeQueue{}, nil)
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s := &http.Server{Handler: http.HandlerFunc(c.servePageviews)}
		go func() { _ = s.Serve(c.Listener(p)) }()
		ours, theirs := net.Pipe()
		p.conns <- theirs
		begin := time.Now()
		if _, err := io.WriteString(ours, plainHead("", 1<<20)+"[ "); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if c.gate.bytes() < 1<<20 {
			t.Errorf("%d bytes in flight while the body comes", c.gate.bytes())
		}
		r, err := http.ReadResponse(bufio.NewReader(ours), nil)
		if err != nil || r.StatusCode != http.StatusRequestTimeout || time.Since(begin) != bodyTime {
			t.Errorf("%+v, %v after %v, want 408 after %v", r, err, time.Since(begin), bodyTime)
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
