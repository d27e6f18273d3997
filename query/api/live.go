package api

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
	"speedlayer/query"
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
func (s *Server) getLive(w http.ResponseWriter, r *http.Request) {
	p, err := parseParams(r.URL.RawQuery, "domain")
	if err != nil {
		writeError(w, err)
		return
	}
	domain := ""
	if text, ok := p["domain"]; ok {
		if domain, err = query.ParseDomain(text); err != nil {
			writeError(w, err)
			return
		}
	}
	if !s.enterLive() {
		problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, RetryAfter: 10,
			Detail: "no more live events now", Allowed: fmt.Sprintf("%d streams at once, until the server stops", s.cfg.LiveStreams)})
		return
	}
	defer s.leaveLive()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // without it nginx would buffer the events
	stream := &liveStream{s: s, domain: domain, w: w, out: http.NewResponseController(w)}
	stream.run(r.Context(), r.Method == http.MethodHead)
}

func (s *Server) enterLive() bool {
	s.live.Lock()
	defer s.live.Unlock()
	if s.live.ended || s.live.streams >= s.cfg.LiveStreams {
		return false
	}
	s.live.streams++
	return true
}

func (s *Server) leaveLive() {
	s.live.Lock()
	defer s.live.Unlock()
	s.live.streams--
}

// liveStream is one stream, owned by the goroutine of its request.
type liveStream struct {
	s      *Server
	domain string
	w      io.Writer
	out    *http.ResponseController
	last   LiveUpdate
	wrote  time.Time // time of the last write to the client
}

func (l *liveStream) run(ctx context.Context, once bool) {
	poll := liveAlive
	if l.s.cfg.Changed == nil {
		poll = livePoll
	}
	for {
		// The channel is taken before the look, so a commit in between closes it.
		var changed <-chan struct{}
		if l.s.cfg.Changed != nil {
			changed = l.s.cfg.Changed()
		}
		if err := l.look(ctx); err != nil || once {
			return // the client or the store is gone: the client will ask again
		}
		// Commits during the gap are reported together. After it comes the next commit,
		// or the time for a sign of life: visitors also leave without a commit.
		if !l.wait(ctx, nil, liveGap) || !l.wait(ctx, changed, poll-liveGap) {
			return
		}
	}
}

// wait returns after d or when ch is closed. It returns false if the stream must end.
func (l *liveStream) wait(ctx context.Context, ch <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ch:
		return true
	case <-ctx.Done():
		return false
	case <-l.s.live.stopped:
		return false
	}
}

// look sends an update if there is news, and otherwise a comment now and then.
func (l *liveStream) look(ctx context.Context) error {
	u, err := l.s.liveUpdate(ctx, l.domain)
	if err != nil {
		return err
	}
	if !l.wrote.IsZero() && u.same(&l.last) {
		if time.Since(l.wrote) < liveAlive {
			return nil
		}
		return l.write(": still here\n\n")
	}
	l.last = *u
	var data strings.Builder
	if err := encode(&data, u); err != nil {
		return err
	}
	return l.write("event: update\ndata: " + data.String() + "\n") // the JSON ends its line
}

func (l *liveStream) write(text string) error {
	l.wrote = time.Now()
	if err := l.out.SetWriteDeadline(l.wrote.Add(liveWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := io.WriteString(l.w, text); err != nil {
		return err
	}
	if err := l.out.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (u *LiveUpdate) same(o *LiveUpdate) bool {
	return u.Events == o.Events && same(u.Lag, o.Lag) && same(u.CurrentVisitors, o.CurrentVisitors) && u.Approximate == o.Approximate
}

func same(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

// liveUpdate returns the current update.
func (s *Server) liveUpdate(ctx context.Context, domain string) (*LiveUpdate, error) {
	c, err := s.cfg.Engine.Covered(ctx)
	if err != nil {
		return nil, err
	}
	u := &LiveUpdate{At: event.FormatTime(s.cfg.Now().UnixMilli()), Events: c.Events, Lag: c.Lag}
	if s.cfg.Visitors != nil && domain != "" {
		n, approximate := s.cfg.Visitors.Count(xxh3.HashString(domain))
		u.CurrentVisitors, u.Approximate = &n, approximate
	}
	return u, nil
}
