package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"speedlayer/event"
	"speedlayer/internal/problem"
)

// Times of a stream of live events.
const (
	liveGap   = 250 * time.Millisecond // minimum time between two updates
	liveAlive = 15 * time.Second       // a sign of life is sent after this time without an update
	livePoll  = time.Second            // interval of checks where commits are not announced
	liveWrite = 10 * time.Second       // a client that accepts nothing for so long is disconnected
)

// LiveUpdate is the data of an event "update" of /api/v1/live.
type LiveUpdate struct {
	At     string `json:"at"`
	Events int64  `json:"events"` // pageviews counted so far
	Lag    *int64 `json:"lag"`
	// CurrentVisitors counts the visitors of the requested domain in the last five
	// minutes. It is null if no domain was requested, or if they are not known here.
	CurrentVisitors *int64 `json:"current_visitors"`
	// Approximate reports that there are more than are counted one by one.
	Approximate bool `json:"approximate,omitempty"`
}

// getLive streams an event "update" at the start and whenever commits moved,
// at most four a second, until the client leaves or the server stops.
func (e *Engine) getLive(w http.ResponseWriter, r *http.Request) {
	p, err := parseParams(r.URL.RawQuery, "domain")
	if err != nil {
		writeError(w, err)
		return
	}
	domain := ""
	if text, ok := p["domain"]; ok {
		if domain, err = parseDomain(text); err != nil {
			writeError(w, err)
			return
		}
	}
	if !e.enterLive() {
		problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, RetryAfter: 10,
			Detail: "no more live events now", Allowed: fmt.Sprintf("%d streams at once, until the server stops", e.cfg.LiveStreams)})
		return
	}
	defer e.leaveLive()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // without it nginx would buffer the events
	s := &liveStream{e: e, domain: domain, w: w, out: http.NewResponseController(w)}
	s.run(r.Context(), r.Method == http.MethodHead)
}

func (e *Engine) enterLive() bool {
	e.live.Lock()
	defer e.live.Unlock()
	if e.live.ended || e.live.streams >= e.cfg.LiveStreams {
		return false
	}
	e.live.streams++
	return true
}

func (e *Engine) leaveLive() {
	e.live.Lock()
	defer e.live.Unlock()
	e.live.streams--
}

// liveStream is one stream, owned by the goroutine of its request.
type liveStream struct {
	e      *Engine
	domain string
	w      io.Writer
	out    *http.ResponseController
	last   LiveUpdate
	wrote  time.Time // time of the last write to the client
}

func (s *liveStream) run(ctx context.Context, once bool) {
	poll := liveAlive
	if s.e.cfg.Changed == nil {
		poll = livePoll
	}
	for {
		// The channel is taken before the look, so a commit in between closes it.
		var changed <-chan struct{}
		if s.e.cfg.Changed != nil {
			changed = s.e.cfg.Changed()
		}
		if err := s.look(ctx); err != nil || once {
			return // the client or the store is gone: the client will ask again
		}
		// Commits during the gap are reported together. After it comes the next commit,
		// or the time for a sign of life: visitors also leave without a commit.
		if !s.wait(ctx, nil, liveGap) || !s.wait(ctx, changed, poll-liveGap) {
			return
		}
	}
}

// wait returns after d or when ch is closed. It returns false if the stream must end.
func (s *liveStream) wait(ctx context.Context, ch <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ch:
		return true
	case <-ctx.Done():
		return false
	case <-s.e.live.stopped:
		return false
	}
}

// look sends an update if there is news, and otherwise a comment now and then.
func (s *liveStream) look(ctx context.Context) error {
	u, err := s.e.liveUpdate(ctx, s.domain)
	if err != nil {
		return err
	}
	if !s.wrote.IsZero() && u.same(&s.last) {
		if time.Since(s.wrote) < liveAlive {
			return nil
		}
		return s.write(": still here\n\n")
	}
	s.last = *u
	var data strings.Builder
	if err := encode(&data, u); err != nil {
		return err
	}
	return s.write("event: update\ndata: " + data.String() + "\n") // the JSON ends its line
}

func (s *liveStream) write(text string) error {
	s.wrote = time.Now()
	if err := s.out.SetWriteDeadline(s.wrote.Add(liveWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	if err := s.out.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (u *LiveUpdate) same(o *LiveUpdate) bool {
	return u.Events == o.Events && same(u.Lag, o.Lag) && same(u.CurrentVisitors, o.CurrentVisitors) && u.Approximate == o.Approximate
}

func same(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

// liveUpdate returns the current update.
func (e *Engine) liveUpdate(ctx context.Context, domain string) (*LiveUpdate, error) {
	u := &LiveUpdate{At: event.FormatTime(e.cfg.Now().UnixMilli())}
	if err := e.read(ctx, func(r *reading) error {
		c, err := e.covered(ctx, r)
		u.Events, u.Lag = c.Events, c.Lag
		return err
	}); err != nil {
		return nil, err
	}
	if e.cfg.Presence != nil && domain != "" {
		n, approximate := e.cfg.Presence.Count(xxh3.HashString(domain))
		u.CurrentVisitors, u.Approximate = &n, approximate
	}
	return u, nil
}
