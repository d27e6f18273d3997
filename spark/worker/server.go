package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Engine does what Spark plans. Safe for concurrent use. Errors are worth another
// try, except those with a FatalError in them, and EndedError.
type Engine interface {
	// Identity returns the id of the store, and the fingerprint of what this process
	// works on and with.
	Identity(ctx context.Context) (store, fingerprint string, err error)
	// Plan returns the newest log epoch, after a look whether it still is the log's.
	// It refuses a checkpoint of another topic or store.
	Plan(ctx context.Context, at Standing) (*Plan, error)
	Commits(ctx context.Context) (*Commits, error)
	// Run returns when the range is committed. It calls alive when it makes progress,
	// and each time that it tries again what a server refused.
	Run(ctx context.Context, r Range, alive func()) (*Counts, error)
}

// FatalError is an error that no other try mends. Its text names what to change.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong.
func (e *FatalError) Unwrap() error { return e.Err }

// EndedError tells that the log epoch of a range has ended.
type EndedError struct{ Newest uint32 } // log epoch of the store

func (e *EndedError) Error() string {
	return fmt.Sprintf("worker: the log epoch of the range has ended, the newest is %d", e.Newest)
}

// Times of the protocol.
const (
	beatEvery = time.Second
	// stalledAfter is how long a request may be without progress: then it is
	// cancelled, and not a single beat hides that it is stuck.
	stalledAfter = time.Minute
)

// Server answers Spark's requests by an engine. Its fields do not change while it
// serves.
type Server struct {
	Engine Engine
	Logger *slog.Logger
}

// Serve answers on every connection until ctx ends, and returns when all of them are
// closed. The listener is closed then.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		conns.Go(func() { s.serveConn(ctx, c) })
	}
}

// conn is one connection. One goroutine reads it, and one answers.
type conn struct {
	server *Server
	net    net.Conn
	lines  chan string
	busy   atomic.Bool // a request is at work: no line may come
	known  bool        // HELLO came
}

// serveConn answers until the other side closes, breaks the protocol, or ctx ends.
func (s *Server) serveConn(ctx context.Context, nc net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &conn{server: s, net: nc, lines: make(chan string)}
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { _ = nc.Close() }()
	reading.Go(func() {
		defer cancel() // whatever is at work
		defer close(c.lines)
		if err := c.read(ctx); err != nil && ctx.Err() == nil {
			s.Logger.Warn("a connection of Spark is closed", "err", err)
		}
	})
	for line := range c.lines {
		answer, goOn := c.answer(ctx, line)
		c.busy.Store(false)
		if ctx.Err() != nil || c.write(answer) != nil || !goOn {
			return
		}
	}
}

// read passes lines on until the connection ends.
func (c *conn) read(ctx context.Context) error {
	r := bufio.NewReaderSize(c.net, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && len(line) == 0 {
				return nil
			}
			return fmt.Errorf("worker: a line without an end: %w", err)
		}
		if c.busy.Swap(true) {
			return fmt.Errorf("%w: a request before the answer to the last one", errProtocol)
		}
		select {
		case c.lines <- string(line[:len(line)-1]):
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *conn) write(line string) error {
	_, err := io.WriteString(c.net, line+"\n")
	return err
}

// answer is the answer to a request, and whether the connection is of use after it.
func (c *conn) answer(ctx context.Context, line string) (text string, goOn bool) {
	r, err := parseRequest(line)
	if err == nil {
		_, isHello := r.(hello)
		if isHello == c.known {
			err = fmt.Errorf("%w: HELLO comes first, and once", errProtocol)
		}
	}
	if err != nil {
		return errorLine(true, err), false
	}
	text, err = c.atWork(ctx, func(ctx context.Context, alive func()) (string, error) { return c.do(ctx, r, alive) })
	var ended *EndedError
	var fatal *FatalError
	switch {
	case err == nil:
		return text, true
	case errors.As(err, &ended):
		return endedLine(ended.Newest), true
	}
	isFatal := errors.As(err, &fatal)
	c.server.Logger.Warn("a request of Spark failed", "request", line, "fatal", isFatal, "err", err)
	return errorLine(isFatal, err), true
}

func (c *conn) do(ctx context.Context, r request, alive func()) (string, error) {
	switch r := r.(type) {
	case hello:
		return c.hello(ctx, r)
	case Standing:
		p, err := c.server.Engine.Plan(ctx, r)
		if err != nil {
			return "", err
		}
		return plannedLine(p), nil
	case commitsRequest:
		commits, err := c.server.Engine.Commits(ctx)
		if err != nil {
			return "", err
		}
		return committedLine(commits), nil
	case Range:
		counts, err := c.server.Engine.Run(ctx, r, alive)
		if err != nil {
			return "", err
		}
		return doneLine(counts), nil
	}
	return "", fmt.Errorf("%w: %T", errProtocol, r)
}

// hello compares what both sides work on.
func (c *conn) hello(ctx context.Context, h hello) (string, error) {
	if h.version != protocolVersion {
		return "", &FatalError{fmt.Errorf("the jar speaks version %d of the protocol, and this speedlayer version %d: take both of one release", h.version, protocolVersion)}
	}
	store, fingerprint, err := c.server.Engine.Identity(ctx)
	if err != nil {
		return "", err
	}
	if h.fingerprint != "-" && h.fingerprint != fingerprint {
		return "", &FatalError{fmt.Errorf("the driver works on another topic or store, or with other settings, than this executor (fingerprint %s, not %s): give all the same --kafka, --store and settings, and one release of speedlayer", h.fingerprint, fingerprint)}
	}
	c.known = true
	return welcomeLine(fingerprint, store), nil
}

// errStalled: a request made no progress for too long.
var errStalled = fmt.Errorf("worker: no progress for %v", stalledAfter)

// atWork does something, and sends beats as long as it makes progress.
func (c *conn) atWork(ctx context.Context, do func(ctx context.Context, alive func()) (string, error)) (text string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	last := time.Now()
	var sign atomic.Bool
	done := make(chan struct{})
	go func() { // ends with do
		defer close(done)
		text, err = do(ctx, func() { sign.Store(true) })
	}()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-done:
			if errors.Is(context.Cause(ctx), errStalled) {
				err = errStalled
			}
			return text, err
		case <-beat.C:
		}
		if sign.Swap(false) {
			last = time.Now()
		}
		if time.Since(last) >= stalledAfter {
			cancel(errStalled)
			continue
		}
		if c.write("BEAT") != nil {
			cancel(io.ErrClosedPipe)
		}
	}
}
