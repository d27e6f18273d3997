package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// Options are how HBase is reached. Quorum and ZNode must be set; the other zero
// values are not defaults either, the caller fills them in.
type Options struct {
	Quorum []string // addresses of ZooKeeper, HOST:PORT
	ZNode  string   // HBase's path in ZooKeeper
	User   string   // the user that HBase sees (simple authentication, no password)

	CallTime time.Duration // bound of one request; below the servers' ZooKeeper session
	Parallel int           // requests at a time
	PageRows uint32        // rows of one page of a scan
	Logger   *slog.Logger
}

// Client sends requests to the region servers through a client of gohbase, and
// replaces that client when it is stuck. gohbase looks for a region that is gone
// at intervals that double, up to half a minute; a new client looks at once.
type Client struct {
	opts  Options
	slots chan struct{} // one for each request under way
	batch batchSize

	retries, failures, renewals atomic.Int64
	abandoned                   atomic.Int64

	mu struct {
		sync.Mutex
		client  gohbase.Client
		born    time.Time
		retired []gohbase.Client // replaced by client; closed at the next renewal
		closed  bool
	}
}

// renewEvery bounds how often gohbase's client is replaced.
const renewEvery = 3 * time.Second

// maxDelay is for how many call times a request is retried before its caller gets
// the error. A processor then offers its batch again, and polls nothing meanwhile.
const maxDelay = 3

// New returns a client. It connects with the first request. The caller closes it.
func New(o Options) *Client {
	guard(o.Logger)
	l := &Client{opts: o, slots: make(chan struct{}, o.Parallel)}
	l.mu.client, l.mu.born = l.dial(), time.Now()
	return l
}

// Over returns a client whose requests go through a client of gohbase that the
// caller made. Tests use it for what a real server does only at moments that
// nobody can choose.
func Over(o Options, c gohbase.Client) *Client {
	l := &Client{opts: o, slots: make(chan struct{}, o.Parallel)}
	l.mu.client = c
	return l
}

// Faults returns the counts so far.
func (l *Client) Faults() store.Faults {
	return store.Faults{Retries: l.retries.Load(), Failures: l.failures.Load(), Renewals: l.renewals.Load()}
}

// Abandoned counts requests that outlived their callers. The memory that such a
// request holds may still be read, so it must not be reused.
func (l *Client) Abandoned() int64 { return l.abandoned.Load() }

// Closed reports whether the client was closed.
func (l *Client) Closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.closed
}

func (l *Client) dial() gohbase.Client {
	// Our requests go out at once, so gohbase's queue of single puts serves
	// nobody; 1 leaves it out.
	return gohbase.NewClient(strings.Join(l.opts.Quorum, ","), gohbase.ZookeeperRoot(l.opts.ZNode),
		gohbase.ZookeeperTimeout(10*time.Second), gohbase.RegionLookupTimeout(5*time.Second),
		gohbase.RegionReadTimeout(5*time.Second), gohbase.EffectiveUser(l.opts.User),
		gohbase.RpcQueueSize(1), gohbase.FlushInterval(0))
}

// Close closes the connections. Requests under way fail.
func (l *Client) Close() {
	l.mu.Lock()
	l.mu.closed = true
	all := append(l.mu.retired, l.mu.client)
	l.mu.retired = nil
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

func (l *Client) client() (gohbase.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil, store.ErrClosed
	}
	return l.mu.client, nil
}

// renew replaces a client of gohbase in which a request is stuck. The old one is
// closed at the next renewal, since other requests may still get answers from it.
func (l *Client) renew(stuck gohbase.Client) {
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

// call sends a request until it is answered, for at most maxDelay. Every try has a
// request of its own, since one that got no answer may still be under way. An
// error that another try cannot cure is returned at once.
func (l *Client) call(ctx context.Context, make func(ctx context.Context) hrpc.Call) (answer proto.Message, err error) {
	err = l.Retry(ctx, func() error {
		answer, err = l.once(ctx, make)
		return err
	})
	return answer, err
}

// Retry calls try until it succeeds, fails for good, or maxDelay has passed.
func (l *Client) Retry(ctx context.Context, try func() error) error {
	end := time.Now().Add(maxDelay * l.opts.CallTime)
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

// once sends one request and waits for at most the call time, whatever gohbase is
// doing: while it writes to a stopped server it ignores contexts. An abandoned
// request ends with its context or its client, and what it holds must not be
// reused.
func (l *Client) once(ctx context.Context, make func(ctx context.Context) hrpc.Call) (proto.Message, error) {
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
		l.abandoned.Add(1)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.renew(client)
		return nil, fmt.Errorf("no answer from HBase within %v: %w", l.opts.CallTime, within.Err())
	}
}

// errEnded: gohbase wanted to end the process (see guard).
var errEnded = errors.New("gohbase gave up on a request")

// asked sends a request in a goroutine, which ends with the answer, the request's
// context, or the client.
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

// forGood are exceptions that another try cannot cure.
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

// IsClass reports whether an error is an exception of a class, named without its
// package.
func IsClass(err error, class string) bool {
	var e *javaError
	return errors.As(err, &e) && strings.HasSuffix(e.class, "."+class)
}

// IsNoTable reports whether an error means that the table does not exist, in the
// words of gohbase or of HBase.
func IsNoTable(err error) bool {
	return errors.Is(err, gohbase.TableNotFound) || IsClass(err, "TableNotFoundException")
}
