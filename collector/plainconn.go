package collector

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"speedlayer/internal/problem"
)

// Times of a connection that is served here.
const (
	idleTime    = 2 * time.Minute  // without a request
	requestTime = 10 * time.Second // from a request's first byte to its last
	writeTime   = 30 * time.Second // to take an answer
)

// plainConn is a connection that has had plain requests only, so far. Its
// goroutine owns it.
type plainConn struct {
	conn net.Conn
	l    *listener
	buf  []byte // bytes read of a request that is not answered yet
	have int
	out  []byte

	refreshed time.Time // when the deadlines were set
}

// wake ends a read that waits for a request. It is for the listener's Close.
func (p *plainConn) wake() { _ = p.conn.SetReadDeadline(time.Unix(1, 0)) }

// serve answers plain requests. It returns true when the connection has
// something else, which lies in buf and is for net/http; false when it is over.
func (p *plainConn) serve() (handOn bool) {
	for {
		p.have = 0
		p.refresh(time.Now())
		if p.l.closing.Load() {
			return false
		}
		r, v := p.read()
		switch {
		case v == notPlain:
			_ = p.conn.SetDeadline(time.Time{}) // net/http sets its own
			return true
		case v == partial: // the client is gone, or too slow
			return false
		}
		if p.answer(r) != nil {
			return false
		}
	}
}

// refresh sets the deadlines of an idle connection, not more often than they
// are worth.
func (p *plainConn) refresh(now time.Time) {
	if now.Sub(p.refreshed) < time.Second {
		return
	}
	p.refreshed = now
	_ = p.conn.SetReadDeadline(now.Add(idleTime))
	_ = p.conn.SetWriteDeadline(now.Add(writeTime + time.Second))
}

// read reads until the verdict is not partial, or the connection ends.
func (p *plainConn) read() (plainRequest, verdict) {
	for first := true; ; first = false {
		n, err := p.conn.Read(p.buf[p.have:])
		p.have += n
		if n == 0 || err != nil && !errors.Is(err, io.EOF) {
			return plainRequest{}, partial
		}
		r, v := parsePlain(p.buf[:p.have])
		if v != partial {
			return r, v
		}
		if p.have == len(p.buf) {
			return r, notPlain
		}
		if first {
			_ = p.conn.SetReadDeadline(time.Now().Add(requestTime))
			p.refreshed = time.Time{}
		}
	}
}

// answer takes the pageviews of a plain request, and writes the answer. While
// it waits for the queue, it does not look whether the client is still there:
// nothing would be taken back.
func (p *plainConn) answer(r plainRequest) error {
	c := p.l.c
	b, ok := c.open()
	if !ok {
		return p.problem(closing())
	}
	defer b.close()
	body := p.buf[r.begin:r.end]
	if !c.gate.reserve(len(body)) {
		return p.problem(b.readProblem(errBusy))
	}
	b.reserved = len(body)
	b.body = append(b.body, body...)
	if len(body) > c.limits.BodyBytes {
		return p.problem(b.tooLarge())
	}
	status, bad := b.pageviews(context.Background(), r.lines, false)
	if bad != nil {
		return p.problem(bad)
	}
	c.metrics.answered(callPageviews, status)
	if len(b.records) == 1 && len(b.rejected) == 0 {
		return p.write(status, jsonType[0], acceptedOne)
	}
	return p.write(status, jsonType[0], b.answer())
}

// write answers as net/http does for the same request.
func (p *plainConn) write(status int, kind string, body []byte) error {
	p.begin(status, kind)
	return p.end(body)
}

func (p *plainConn) problem(d *problem.Details) error {
	p.l.c.metrics.answered(callPageviews, d.Status)
	var w bufferedWriter
	problem.Write(&w, *d)
	p.begin(w.status, w.Header().Get("Content-Type"))
	w.header.Del("Content-Type")
	for name, values := range w.header {
		p.out = append(append(append(append(p.out, name...), ": "...), values[0]...), "\r\n"...)
	}
	return p.end(w.body)
}

func (p *plainConn) begin(status int, kind string) {
	p.out = append(p.out[:0], "HTTP/1.1 "...)
	p.out = strconv.AppendInt(p.out, int64(status), 10)
	p.out = append(append(p.out, ' '), http.StatusText(status)...)
	p.out = append(p.out, "\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: Retry-After\r\nContent-Type: "...)
	p.out = append(p.out, kind...)
	p.out = append(p.out, "\r\nDate: "...)
	p.out = append(p.out, httpDate()...)
	p.out = append(p.out, "\r\n"...)
}

func (p *plainConn) end(body []byte) error {
	p.out = append(p.out, "Content-Length: "...)
	p.out = strconv.AppendInt(p.out, int64(len(body)), 10)
	if p.l.closing.Load() {
		p.out = append(p.out, "\r\nConnection: close"...)
	}
	p.out = append(p.out, "\r\n\r\n"...)
	p.out = append(p.out, body...)
	_, err := p.conn.Write(p.out)
	return err
}

// bufferedWriter keeps an answer that is written rarely.
type bufferedWriter struct {
	header http.Header
	status int
	body   []byte
}

func (w *bufferedWriter) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

func (w *bufferedWriter) WriteHeader(status int) { w.status = status }

func (w *bufferedWriter) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

// dateText is a second, as the Date field writes it.
type dateText struct {
	second int64
	text   string
}

var lastDate atomic.Pointer[dateText]

// httpDate is the time now for the field Date, made once a second.
func httpDate() string {
	now := time.Now()
	d := lastDate.Load()
	if d == nil || d.second != now.Unix() {
		d = &dateText{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return d.text
}
