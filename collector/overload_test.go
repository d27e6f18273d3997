package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"speedlayer/queue"
)

func TestQueueErrors(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
	}{
		{queue.ErrOverloaded, 429},
		{fmt.Errorf("%w: gone", queue.ErrUnavailable), 503},
		{errors.New("strange"), 503},
	} {
		for _, path := range []string{"/api/v1/pageviews", "/api/event"} {
			body := one
			if path == "/api/event" {
				body = `{"n":"pageview","u":"http://foo.com/"}`
			}
			w := send(newTest(&fakeQueue{fail: func(int, []byte, []byte) error { return tc.err }}, nil), "POST", path, body)
			if read(t, w); w.Code != tc.status || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s, %v: status %d, Retry-After %q", path, tc.err, w.Code, w.Header().Get("Retry-After"))
			}
		}
	}
}

// Of a batch of which one record fails nothing is acknowledged; sent again, with
// the same nonces, all is.
func TestPartialFailure(t *testing.T) {
	q := &fakeQueue{fail: func(n int, _, _ []byte) error {
		if n == 1 {
			return queue.ErrUnavailable
		}
		return nil
	}}
	c := newTest(q, nil)
	body := "[" + one + "," + strings.Replace(one, "n1", "n2", 1) + "," + strings.Replace(one, "n1", "n3", 1) + "]"
	w := post(c, body)
	if a := read(t, w); w.Code != 503 || a.Accepted != 0 || a.Rejected != nil {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if w := post(c, body); w.Code != 202 {
		t.Fatalf("sent again: status %d: %s", w.Code, w.Body)
	}
	nonces := map[string]int{}
	for _, pv := range q.records {
		nonces[string(pv.Nonce)]++
	}
	if nonces["n1"] != 2 || nonces["n2"] != 1 || nonces["n3"] != 2 {
		t.Errorf("nonces on the queue: %v", nonces)
	}
}

// Bodies that are not answered yet are bounded together.
func TestBytesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{hold: make(chan struct{})}
		c := newTest(q, func(cfg *Config) { cfg.Limits.InFlightBytes = int64(2*len(one) + 10) })
		answers := make(chan int, 2)
		for range 2 {
			go func() { answers <- post(c, one).Code }()
		}
		synctest.Wait()
		for _, body := range []io.Reader{strings.NewReader(one), io.MultiReader(strings.NewReader(one))} { // length said, and not
			r := httptest.NewRequest("POST", "/api/v1/pageviews", body)
			w := httptest.NewRecorder()
			c.servePageviews(w, r)
			if read(t, w); w.Code != 429 || w.Header().Get("Retry-After") == "" {
				t.Errorf("over the bound: status %d", w.Code)
			}
		}
		close(q.hold)
		for range 2 {
			if code := <-answers; code != 202 {
				t.Errorf("within the bound: status %d", code)
			}
		}
		if n := c.gate.bytes(); n != 0 {
			t.Errorf("%d bytes in flight when all are answered", n)
		}
		if w := post(c, one); w.Code != 202 {
			t.Errorf("afterwards: status %d", w.Code)
		}
	})
}

// Close accepts nobody, and waits for those who are in.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{hold: make(chan struct{})}
		c := newTest(q, nil)
		if err := newTest(q, nil).Close(t.Context()); err != nil {
			t.Errorf("closing an idle one: %v", err)
		}
		answered := make(chan int, 1)
		go func() { answered <- post(c, one).Code }()
		synctest.Wait()
		ended, end := context.WithCancel(t.Context())
		end()
		if err := c.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("closing with a request in flight and no time: %v", err)
		}
		closed := make(chan error, 1)
		go func() { closed <- c.Close(t.Context()) }()
		synctest.Wait()
		for _, path := range []string{"/api/v1/pageviews", "/api/event"} {
			if w := send(c, "POST", path, one); w.Code != 503 || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s while closing: status %d", path, w.Code)
			}
		}
		select {
		case <-closed:
			t.Error("closed while a request was in flight")
		default:
		}
		close(q.hold)
		if code := <-answered; code != 202 {
			t.Errorf("the request in flight: status %d", code)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// A client that goes away while its pageviews are appended takes nothing back,
// and its buffers stay until the queue is done with them.
func TestClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{hold: make(chan struct{})}
		c := newTest(q, nil)
		ctx, gone := context.WithCancel(t.Context())
		answered := make(chan struct{})
		go func() {
			r := httptest.NewRequestWithContext(ctx, "POST", "/api/v1/pageviews", strings.NewReader(one))
			c.servePageviews(httptest.NewRecorder(), r)
			close(answered)
		}()
		synctest.Wait()
		gone()
		synctest.Wait()
		select {
		case <-answered:
			t.Error("the request ended before the queue was done")
		default:
		}
		close(q.hold)
		<-answered
		if len(q.records) != 1 {
			t.Errorf("%d records", len(q.records))
		}
	})
}

func TestPacked(t *testing.T) {
	pack := map[string]func(string) string{
		"gzip": func(s string) string {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write([]byte(s))
			_ = w.Close()
			return b.String()
		},
		"zstd": func(s string) string {
			w, err := zstd.NewWriter(nil)
			if err != nil {
				t.Fatal(err)
			}
			return string(w.EncodeAll([]byte(s), nil))
		},
	}
	for encoding, pack := range pack {
		c := newTest(&fakeQueue{}, func(cfg *Config) { cfg.Limits.BodyBytes = 1 << 20 })
		for range 3 { // also with a reader that was used before
			packed := pack(one)
			if w := post(c, packed, "Content-Encoding", encoding); w.Code != 202 {
				t.Errorf("%s: status %d: %s", encoding, w.Code, w.Body)
			}
			if w := post(c, packed[:len(packed)-5], "Content-Encoding", encoding); w.Code != 400 {
				t.Errorf("%s, cut off: status %d: %s", encoding, w.Code, w.Body)
			}
			bomb := pack("[" + strings.Repeat(" ", 64<<20) + "]")
			if w := post(c, bomb, "Content-Encoding", encoding); w.Code != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, 64 MiB in %d bytes: status %d", encoding, len(bomb), w.Code)
			}
			exact := "[" + one + strings.Repeat(" ", 1<<20-len(one)-2) + "]"
			if w := post(c, pack(exact), "Content-Encoding", encoding); w.Code != 202 {
				t.Errorf("%s, as large as allowed: status %d: %s", encoding, w.Code, w.Body)
			}
			if w := post(c, pack(exact+" "), "Content-Encoding", encoding); w.Code != 413 {
				t.Errorf("%s, a byte more: status %d", encoding, w.Code)
			}
		}
		if n := c.gate.bytes(); n != 0 {
			t.Errorf("%s: %d bytes in flight when all are answered", encoding, n)
		}
	}
}
