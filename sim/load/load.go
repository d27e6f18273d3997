package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config defines what to post. Requests and Duration end it, whichever is first;
// zero is not an end.
type Config struct {
	Addr        string // host:port
	Connections int    // 0 is 64
	Requests    int64
	Duration    time.Duration
	// Request returns the n-th request, a whole HTTP/1.1 message. It is called
	// by the connection's goroutine; buf is that connection's, and may be
	// returned.
	Request func(conn int, n int64, buf []byte) []byte
	// Answered, if not nil, is told each answer: for clients that look whether
	// what was acknowledged is there. body is valid during the call.
	Answered func(conn int, n int64, status int, body []byte)
}

// Result is what came back.
type Result struct {
	Elapsed time.Duration
	Status  map[int]int64 // answers by status
	Latency Histogram
}

// Answers is how many came.
func (r *Result) Answers() (n int64) {
	for _, c := range r.Status {
		n += c
	}
	return n
}

// Rate is answers of a status a second.
func (r *Result) Rate(status int) float64 {
	return float64(r.Status[status]) / r.Elapsed.Seconds()
}

// lastAnswer is how long requests on the way may take when the time is over.
const lastAnswer = 15 * time.Second

// Run posts until the end, or ctx ends, or a connection fails. The end of ctx is
// no error: requests on the way are answered first.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Connections == 0 {
		cfg.Connections = 64
	}
	if cfg.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cfg.Duration)
		defer cancel()
	}
	conns, err := dialAll(ctx, cfg)
	if err != nil {
		return Result{}, err
	}
	var (
		next, failed atomic.Int64
		done         sync.WaitGroup
		stopped      atomic.Bool
	)
	stop := context.AfterFunc(ctx, func() {
		stopped.Store(true)
		for _, c := range conns { // a server that hangs shall not hang us
			_ = c.conn.SetDeadline(time.Now().Add(lastAnswer))
		}
	})
	defer stop()
	begin := time.Now()
	errs := make([]error, len(conns))
	for i, c := range conns {
		done.Go(func() {
			defer c.conn.Close()
			for !stopped.Load() && failed.Load() == 0 {
				n := next.Add(1) - 1
				if cfg.Requests > 0 && n >= cfg.Requests {
					return
				}
				if errs[i] = c.do(&cfg, i, n); errs[i] != nil {
					failed.Add(1)
					return
				}
			}
		})
	}
	done.Wait()
	r := Result{Elapsed: time.Since(begin), Status: make(map[int]int64)}
	for _, c := range conns {
		for status, n := range c.status {
			r.Status[status] += n
		}
		r.Latency.Add(&c.latency)
	}
	return r, errors.Join(errs...)
}

func dialAll(ctx context.Context, cfg Config) ([]*client, error) {
	var d net.Dialer
	conns := make([]*client, 0, cfg.Connections)
	for range cfg.Connections {
		conn, err := d.DialContext(ctx, "tcp", cfg.Addr)
		if err != nil {
			for _, c := range conns {
				_ = c.conn.Close()
			}
			return nil, fmt.Errorf("load: %w", err)
		}
		conns = append(conns, &client{conn: conn, in: make([]byte, 64<<10), status: make(map[int]int64)})
	}
	return conns, nil
}
