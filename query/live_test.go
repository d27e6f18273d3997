package query_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeebo/xxh3"

	"speedlayer/event"
	"speedlayer/query"
	"speedlayer/query/active"
	"speedlayer/query/api"
	"speedlayer/store"
)

// sseClient is a connection that records when it received what.
type sseClient struct {
	header http.Header
	status int
	mu     sync.Mutex
	got    []string
	at     []time.Time
}

func newSSE() *sseClient { return &sseClient{header: http.Header{}, status: http.StatusOK} }

func (c *sseClient) Header() http.Header  { return c.header }
func (c *sseClient) WriteHeader(code int) { c.status = code }
func (c *sseClient) Flush()               {}
func (c *sseClient) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got, c.at = append(c.got, string(b)), append(c.at, time.Now())
	return len(b), nil
}

func (c *sseClient) take(t *testing.T) (texts []string, times []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	texts, times = c.got, c.at
	c.got, c.at = nil, nil
	return texts, times
}

func decodeUpdate(t *testing.T, text string) (u api.LiveUpdate) {
	t.Helper()
	data, ok := strings.CutPrefix(text, "event: update\ndata: ")
	if !ok || !strings.HasSuffix(data, "\n\n") || json.Unmarshal([]byte(data), &u) != nil {
		t.Fatalf("no update: %q", text)
	}
	return u
}

// liveWorld is a store whose commits are announced.
type liveWorld struct {
	store    *torn
	mu       sync.Mutex
	changed  chan struct{}
	visitors *active.Visitors
	server   *api.Server
}

func newLiveWorld(limit int) *liveWorld {
	w := &liveWorld{store: newTorn(), changed: make(chan struct{}), visitors: active.New(time.Now, active.Limits{})}
	w.store.move(0)
	w.server = api.New(api.Config{Engine: query.New(query.Config{Store: w, Edges: query.NewEdges(), Now: time.Now}), Now: time.Now,
		Visitors: w.visitors, LiveStreams: limit,
		Changed: func() <-chan struct{} { w.mu.Lock(); defer w.mu.Unlock(); return w.changed }})
	return w
}

func (w *liveWorld) Read(context.Context) (store.Reader, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := newTorn()
	s.pointer = w.store.pointer
	for sh, offset := range w.store.commits {
		s.commits[sh] = offset
	}
	return eventsReader{s}, nil
}

func (w *liveWorld) Stats(context.Context) (store.Stats, error) { return store.Stats{}, nil }

// eventsReader has as many events as the commit's offset.
type eventsReader struct{ *torn }

func (r eventsReader) Commits(context.Context) (all []store.ShardCommit, err error) {
	for sh, offset := range r.commits {
		all = append(all, store.ShardCommit{Shard: sh, Commit: store.Commit{Offset: offset, Record: (&store.CommitRecord{Events: offset}).Append(nil)}})
	}
	return all, nil
}

func (w *liveWorld) commit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.store.commits[store.Shard{}]++
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *liveWorld) stream(ctx context.Context, target string) (*sseClient, <-chan struct{}) {
	c, done := newSSE(), make(chan struct{})
	h := w.server.Handlers()["/api/v1/live"]
	go func() {
		defer close(done)
		h.ServeHTTP(c, httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil))
	}()
	return c, done
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(0)
		ctx, cancel := context.WithCancel(t.Context())
		c, done := w.stream(ctx, "/api/v1/live?domain=foo.com")
		synctest.Wait()
		texts, _ := c.take(t)
		if len(texts) != 1 || c.header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("at the start: %q", texts)
		}
		if u := decodeUpdate(t, texts[0]); u.Events != 0 || u.CurrentVisitors == nil || *u.CurrentVisitors != 0 {
			t.Fatalf("%+v", u)
		}

		// A commit after a quiet time is reported at once.
		time.Sleep(time.Second)
		w.visitors.Seen(xxh3.HashString("foo.com"), event.PersonHash([]byte("sally")), time.Now().UnixMilli())
		w.commit()
		synctest.Wait()
		if texts, _ = c.take(t); len(texts) != 1 || decodeUpdate(t, texts[0]).Events != 1 || *decodeUpdate(t, texts[0]).CurrentVisitors != 1 {
			t.Fatalf("after a commit: %q", texts)
		}

		// A thousand commits in a second are reported four times, including the last one.
		begin := time.Now()
		for range 1000 {
			w.commit()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		texts, times := c.take(t)
		if len(texts) < 4 || len(texts) > 5 || decodeUpdate(t, texts[len(texts)-1]).Events != 1001 {
			t.Fatalf("%d updates, the last %q", len(texts), texts[len(texts)-1])
		}
		for i := 1; i < len(times); i++ {
			if times[i].Sub(times[i-1]) < 250*time.Millisecond {
				t.Fatalf("updates %v and %v after %v", times[i-1].Sub(begin), times[i].Sub(begin), begin)
			}
		}

		// A quiet hour: a sign of life every 15 s, and the visitor leaves.
		time.Sleep(time.Hour)
		synctest.Wait()
		texts, times = c.take(t)
		updates := 0
		for i, text := range texts {
			if !strings.HasPrefix(text, ": ") {
				updates++
				if u := decodeUpdate(t, text); *u.CurrentVisitors != 0 {
					t.Fatalf("%+v", u)
				}
			}
			if i > 0 && times[i].Sub(times[i-1]) > 16*time.Second {
				t.Fatalf("silent for %v", times[i].Sub(times[i-1]))
			}
		}
		if updates != 1 || len(texts) < 230 {
			t.Fatalf("%d updates of %d", updates, len(texts))
		}
		cancel()
		<-done
	})
}

// TestLiveBounds checks the bound on streams, and that all end when the server stops.
func TestLiveBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(2)
		ctx, cancel := context.WithCancel(t.Context())
		_, done1 := w.stream(ctx, "/api/v1/live")
		second, done2 := w.stream(t.Context(), "/api/v1/live")
		synctest.Wait()
		if texts, _ := second.take(t); decodeUpdate(t, texts[0]).CurrentVisitors != nil {
			t.Fatal("visitors of no domain")
		}
		third, done3 := w.stream(t.Context(), "/api/v1/live")
		<-done3
		if third.status != http.StatusServiceUnavailable || third.header.Get("Retry-After") == "" {
			t.Fatalf("a third stream: %d", third.status)
		}
		cancel()
		<-done1
		_, done4 := w.stream(t.Context(), "/api/v1/live")
		synctest.Wait()
		w.server.StopLive()
		w.server.StopLive()
		<-done2
		<-done4
		last, done5 := w.stream(t.Context(), "/api/v1/live")
		<-done5
		if last.status != http.StatusServiceUnavailable {
			t.Fatalf("after the stop: %d", last.status)
		}
	})
}
