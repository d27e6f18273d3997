package hbase

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tsuna/gohbase"
	"github.com/tsuna/gohbase/hrpc"
	"google.golang.org/protobuf/proto"

	"speedlayer/store"
)

// link is the way to the region servers: a client of gohbase, made anew when it
// is stuck. gohbase looks for a region that is gone at intervals that double, to
// half a minute; a fresh client looks at once.
type link struct {
	opts  Options
	slots chan struct{} // one for each request that may be on its way
	pace  pace

	retries, failures, renewals atomic.Int64
	left                        atomic.Int64 // requests that went on without a caller: what they hold is not free

	mu struct {
		sync.Mutex
		client  gohbase.Client
		born    time.Time
		retired []gohbase.Client // behind client; each is closed at the next renewal
		closed  bool
	}
}

// renewEvery bounds how often a client is made anew.
const renewEvery = 3 * time.Second

// patience is for how many call times a request is tried again before the caller
// hears of it. A processor offers its batch again then, and polls nothing.
const patience = 3

func newLink(o Options) *link {
	l := &link{opts: o, slots: make(chan struct{}, o.Parallel)}
	l.mu.client, l.mu.born = l.dial(), time.Now()
	return l
}

func (l *link) dial() gohbase.Client {
	// Requests of ours go out at once, so gohbase's queue of single puts serves
	// nobody; 1 leaves it out.
	return gohbase.NewClient(strings.Join(l.opts.Quorum, ","), gohbase.ZookeeperRoot(l.opts.ZNode),
		gohbase.ZookeeperTimeout(10*time.Second), gohbase.RegionLookupTimeout(5*time.Second),
		gohbase.RegionReadTimeout(5*time.Second), gohbase.EffectiveUser(l.opts.User),
		gohbase.RpcQueueSize(1), gohbase.FlushInterval(0))
}

// close ends all clients; requests on their way fail.
func (l *link) close() {
	l.mu.Lock()
	l.mu.closed = true
	all := append(l.mu.retired, l.mu.client)
	l.mu.retired = nil
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

func (l *link) client() (gohbase.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil, store.ErrClosed
	}
	return l.mu.client, nil
}

// renew makes a client in place of one that a request got stuck in. The old one
// is closed at the next renewal, for others may get their answers from it yet.
func (l *link) renew(stuck gohbase.Client) {
	l.mu.Lock()
	if l.mu.closed || l.mu.client != stuck || time.Since(l.mu.born) < renewEvery {
		l.mu.Unlock()
		return
	}
	old := l.mu.retired
	l.mu.retired = []gohbase.Client{stuck}
	l.mu.client, l.mu.born = l.dial(), time.Now()
	l.mu.Unlock()
	l.renewals.Add(1)
	l.opts.Logger.Warn("hbase: a request got no answer in time; going on with a new client")
	for _, c := range old {
		c.Close()
	}
}

// call sends a request until it is answered, for as long as patience lasts. make
// makes it for each try, for one that got no answer may still be on its way.
// What HBase will say again is returned at once.
func (l *link) call(ctx context.Context, make func(ctx context.Context) hrpc.Call) (answer proto.Message, err error) {
	err = l.patiently(ctx, func() error {
		answer, err = l.once(ctx, make)
		return err
	})
	return answer, err
}

// patiently calls try until it does not fail.
func (l *link) patiently(ctx context.Context, try func() error) error {
	end := time.Now().Add(patience * l.opts.CallTime)
	pause := 10 * time.Millisecond
	for {
		err := try()
		if err == nil {
			return nil
		}
		if permanent(err) || ctx.Err() != nil {
			return err
		}
		if time.Now().Add(pause).After(end) {
			l.failures.Add(1)
			return err
		}
		l.retries.Add(1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, 500*time.Millisecond)
	}
}

// once sends one request and waits for at most the call time, whatever gohbase
// is doing: writing to a server that is stopped, it does not look at contexts.
// A request left behind ends with its context or its client; what it holds may
// not be used again.
func (l *link) once(ctx context.Context, make func(ctx context.Context) hrpc.Call) (proto.Message, error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.slots }()
	client, err := l.client()
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, l.opts.CallTime)
	defer cancel()
	request := make(within)
	answered := asked(client, request)
	select {
	case r := <-answered:
		if r.Error != nil && ctx.Err() == nil && within.Err() != nil {
			l.renew(client)
		}
		return r.Msg, plainly(r.Error)
	case <-within.Done():
		l.left.Add(1)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.renew(client)
		return nil, fmt.Errorf("no answer from HBase within %v: %w", l.opts.CallTime, within.Err())
	}
}

// errEnded: gohbase wanted to end the process (see guard).
var errEnded = errors.New("gohbase gave up on a request")

// asked sends a request in a goroutine of its own, which ends with the answer,
// the request's context, or the client.
func asked(client gohbase.Client, request hrpc.Call) <-chan hrpc.RPCResult {
	answered := make(chan hrpc.RPCResult, 1)
	go func() {
		r := hrpc.RPCResult{Error: errEnded}
		defer func() {
			if p := recover(); p != nil {
				r.Error = fmt.Errorf("gohbase panicked: %v", p)
			}
			answered <- r
		}()
		r.Msg, r.Error = client.(gohbase.RPCClient).SendRPC(request)
	}()
	return answered
}

// plainly turns gohbase's text of an exception, a Java stack, into one line.
func plainly(err error) error {
	if err == nil {
		return nil
	}
	text, ok := strings.CutPrefix(err.Error(), "HBase Java exception ")
	if !ok {
		return err
	}
	class, stack, _ := strings.Cut(text, ":\n")
	return &javaError{class, stack}
}

// forGood are exceptions that another try does not cure.
var forGood = []string{
	"NoSuchColumnFamilyException", "AccessDeniedException", "DoNotRetryIOException", "FailedSanityCheckException",
	"IllegalArgumentException", "NamespaceNotFoundException", "UnsupportedOperationException",
}

func permanent(err error) bool {
	var e *javaError
	switch {
	case errors.As(err, &e):
		for _, c := range forGood {
			if strings.HasSuffix(e.class, "."+c) {
				return true
			}
		}
		return false
	case errors.Is(err, gohbase.TableNotFound), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrCorrupt):
		return true
	}
	return false
}

// isClass says whether an error is an exception of that class.
func isClass(err error, class string) bool {
	var e *javaError
	return errors.As(err, &e) && strings.HasSuffix(e.class, "."+class)
}
