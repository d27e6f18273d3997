package httpserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

// serve runs a test in virtual time with one connection to a server of h.
func serve(t *testing.T, h http.HandlerFunc, test func(t *testing.T, c net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s := New(h, nil)
		done := make(chan error, 1)
		go func() { done <- s.Serve(Listen(p)) }()
		ours, theirs := net.Pipe()
		p.conns <- theirs
		test(t, ours)
		_ = ours.Close()
		time.Sleep(time.Minute) // in virtual time: what test started finds the connection closed, and ends
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

func head(method string, length int) string {
	return fmt.Sprintf("%s / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", method, length)
}

// Bodies that trickle end at a deadline, whatever handler reads them; so do
// connections and heads.
func TestTricklingClients(t *testing.T) {
	for _, tc := range []struct {
		name, sent string
		byteEvery  time.Duration // from then on; 0 sends nothing more
		low, high  time.Duration
	}{
		{"nothing", "", 0, ReadGrace, idleTimeout},
		{"half a head", "POST / HT", 0, ReadGrace, ReadGrace},
		{"no body", head("POST", 100), 0, ReadGrace, ReadGrace},
		{"a small body in bytes", head("DELETE", 1000), time.Second, ReadGrace, ReadGrace},
		{"a large body in bytes", head("POST", 1<<20), time.Second, ReadGrace, ReadGrace + 2*time.Second},
		{"a body that nobody reads", head("PUT", 100), 0, ReadGrace, ReadGrace},
		{"chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 0, ReadGrace, ReadGrace},
	} {
		t.Run(tc.name, func(t *testing.T) {
			serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut {
					return
				}
				if _, err := io.Copy(io.Discard, r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("reading the body: %v", err)
				}
				w.WriteHeader(http.StatusRequestTimeout)
			}, func(t *testing.T, c net.Conn) {
				begin := time.Now()
				go func() {
					_, err := io.WriteString(c, tc.sent)
					for err == nil && tc.byteEvery > 0 {
						time.Sleep(tc.byteEvery)
						_, err = c.Write([]byte("x"))
					}
				}()
				_, _ = io.Copy(io.Discard, c)
				if took := time.Since(begin); took < tc.low || took > tc.high+time.Second { // net/http lingers
					t.Errorf("the connection ended after %v, want %v to %v", took, tc.low, tc.high)
				}
			})
		})
	}
}

// A body that comes at a fair rate may take as long as it needs.
func TestSlowButSteadyBody(t *testing.T) {
	const size = 4 << 20
	serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	}, func(t *testing.T, c net.Conn) {
		begin := time.Now()
		go func() {
			_, err := io.WriteString(c, head("POST", size))
			for sent := 0; err == nil && sent < size; sent += 32 << 10 {
				time.Sleep(time.Second)
				_, err = c.Write(make([]byte, 32<<10))
			}
		}()
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		if string(text) != fmt.Sprint(size, " <nil>") && string(text) != fmt.Sprint(size, nil) || time.Since(begin) < 2*time.Minute {
			t.Errorf("%s after %v", text, time.Since(begin))
		}
	})
}

// Handlers that take long before they answer, and streams with long pauses, are
// not cut off.
func TestLongAnswers(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for range 10 {
				select {
				case <-time.After(time.Minute):
				case <-r.Context().Done():
					t.Errorf("%s: the request was cancelled: %v", method, r.Context().Err())
					return
				}
				_, _ = io.WriteString(w, "event\n")
				_ = http.NewResponseController(w).Flush()
			}
		}, func(t *testing.T, c net.Conn) {
			body := 0
			if method == "POST" {
				body = 5
			}
			go func() { _, _ = io.WriteString(c, head(method, body)+strings.Repeat("x", body)) }()
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(r.Body); err != nil || string(text) != strings.Repeat("event\n", 10) {
				t.Errorf("%s: %q, %v", method, text, err)
			}
		})
	}
}

// A client that hardly reads is cut off; one that reads at a fair rate gets all.
func TestSlowReaders(t *testing.T) {
	const size = 4 << 20
	for _, tc := range []struct {
		rate int // bytes a second
		all  bool
	}{{MinRate / 8, false}, {2 * MinRate, true}, {64 * MinRate, true}} {
		t.Run(fmt.Sprint(tc.rate), func(t *testing.T) {
			wrote := make(chan error, 1)
			serve(t, func(w http.ResponseWriter, _ *http.Request) {
				_, err := io.Copy(w, io.LimitReader(zeros{}, size))
				wrote <- err
			}, func(t *testing.T, c net.Conn) {
				begin := time.Now()
				go func() { _, _ = io.WriteString(c, head("GET", 0)) }()
				buf := make([]byte, tc.rate)
				var err error
				for err == nil {
					time.Sleep(time.Second)
					_, err = io.ReadFull(c, buf)
					if len(wrote) > 0 && tc.all {
						break
					}
				}
				if err := <-wrote; (err == nil) != tc.all {
					t.Errorf("the handler wrote all: %v, want %v: %v", err == nil, tc.all, err)
				}
				if took := time.Since(begin); !tc.all && (took < WriteGrace || took > 2*WriteGrace) {
					t.Errorf("cut off after %v, want about %v", took, WriteGrace)
				}
			})
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Pages of other sites cannot change anything but what they are meant to send;
// every answer has the headers.
func TestProtection(t *testing.T) {
	h := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}), nil).Handler
	for _, tc := range []struct {
		method, path, site, origin string
		status                     int
	}{
		{"POST", "/api/v1/equivs", "", "", 200},
		{"POST", "/api/v1/equivs", "same-origin", "http://stats.example", 200},
		{"POST", "/api/v1/equivs", "none", "", 200},
		{"POST", "/api/v1/equivs", "", "http://stats.example", 200},
		{"POST", "/api/v1/equivs", "cross-site", "http://evil.example", 403},
		{"POST", "/api/v1/equivs", "same-site", "http://other.example", 403},
		{"POST", "/api/v1/equivs", "", "http://evil.example", 403},
		{"POST", "/api/v1/equivs", "", "null", 403},
		{"DELETE", "/api/v1/equivs", "cross-site", "", 403},
		{"POST", "/api/v1/batch/run", "cross-site", "http://evil.example", 403},
		{"POST", "/api/v1/pageviews", "cross-site", "http://site.example", 200},
		{"POST", "/api/event", "cross-site", "http://site.example", 200},
		{"GET", "/api/v1/equivs", "cross-site", "", 200},
	} {
		r := httptest.NewRequest(tc.method, "http://stats.example"+tc.path, nil)
		if tc.site != "" {
			r.Header.Set("Sec-Fetch-Site", tc.site)
		}
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.status {
			t.Errorf("%+v: status %d", tc, w.Code)
		}
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%+v: no %s", tc, name)
			}
		}
		if !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%+v: other pages may frame it", tc)
		}
	}
}
