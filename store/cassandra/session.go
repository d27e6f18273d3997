package cassandra

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"speedlayer/store"
)

// requests sends requests through a session of the driver, and bounds how many there
// are at a time, how long each takes, and how often one is tried again.
type requests struct {
	callTime time.Duration
	slots    chan struct{} // one for each request in progress

	retries, failures atomic.Int64

	mu struct {
		sync.Mutex
		session *gocql.Session
		closed  bool
	}
}

// maxDelay is for how many call times a request is retried before its caller gets
// the error. A processor then offers its batch again, and polls nothing meanwhile.
const maxDelay = 3

func newRequests(o *Options) *requests {
	return &requests{callTime: o.CallTime, slots: make(chan struct{}, o.Parallel)}
}

// use sets the session, which close closes.
func (r *requests) use(session *gocql.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.session = session
}

func (r *requests) session() (*gocql.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed || r.mu.session == nil {
		return nil, store.ErrClosed
	}
	return r.mu.session, nil
}

func (r *requests) close() {
	r.mu.Lock()
	session := r.mu.session
	r.mu.session, r.mu.closed = nil, true
	r.mu.Unlock()
	if session != nil {
		session.Close()
	}
}

// once sends one request through fn, when there is a slot.
func (r *requests) once(ctx context.Context, fn func(ctx context.Context, session *gocql.Session) error) error {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.slots }()
	session, err := r.session()
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, r.callTime)
	defer cancel()
	err = fn(within, session)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gocql.ErrSessionClosed):
		return store.ErrClosed
	case ctx.Err() == nil && within.Err() != nil:
		return fmt.Errorf("no answer from Cassandra within %v: %w", r.callTime, err)
	}
	return err
}

// idempotent sends a request again until it succeeds, fails for good, or maxDelay has
// passed. Doing it twice must be the same as doing it once.
func (r *requests) idempotent(ctx context.Context, fn func(ctx context.Context, session *gocql.Session) error) error {
	return r.retry(ctx, func() error { return r.once(ctx, fn) })
}

// retry calls try until it succeeds, fails for good, or maxDelay has passed.
func (r *requests) retry(ctx context.Context, try func() error) error {
	end := time.Now().Add(maxDelay * r.callTime)
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
			r.failures.Add(1)
			return err
		}
		r.retries.Add(1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, 500*time.Millisecond)
	}
}

// exec runs a statement that may be run twice.
func (r *requests) exec(ctx context.Context, statement string, values ...any) error {
	return r.idempotent(ctx, func(ctx context.Context, session *gocql.Session) error {
		return session.Query(statement, values...).Idempotent(true).ExecContext(ctx)
	})
}

// row reads one row into dest; found is false if there is none.
func (r *requests) row(ctx context.Context, level gocql.Consistency, statement string, values, dest []any) (found bool, err error) {
	err = r.idempotent(ctx, func(ctx context.Context, session *gocql.Session) error {
		err := session.Query(statement, values...).Consistency(level).Idempotent(true).ScanContext(ctx, dest...)
		found = err == nil
		if errors.Is(err, gocql.ErrNotFound) {
			return nil
		}
		return err
	})
	return found, err
}

// statement is one that reads rows.
type statement struct {
	text   string
	values []any
	rows   int // of a page
}

// pageOf reads one page of rows. scan takes the next row from the iterator; it reports
// false when there is none. The next page begins at next, which is empty at the end.
func pageOf[T any](ctx context.Context, r *requests, q statement, from []byte, scan func(iter *gocql.Iter) (T, bool)) (rows []T, next []byte, err error) {
	err = r.idempotent(ctx, func(ctx context.Context, session *gocql.Session) error {
		rows = rows[:0] // of a try that failed
		iter := session.Query(q.text, q.values...).Idempotent(true).PageSize(q.rows).PageState(from).IterContext(ctx)
		for {
			row, ok := scan(iter)
			if !ok {
				break
			}
			rows = append(rows, row)
		}
		next = append([]byte(nil), iter.PageState()...)
		return iter.Close()
	})
	return rows, next, err
}

// allOf reads all rows.
func allOf[T any](ctx context.Context, r *requests, q statement, scan func(iter *gocql.Iter) (T, bool)) (all []T, err error) {
	var next []byte
	for {
		var rows []T
		if rows, next, err = pageOf(ctx, r, q, next, scan); err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(next) == 0 {
			return all, nil
		}
	}
}

// codeOf returns the code of an error that a server reported, or -1 for another one.
func codeOf(err error) int {
	if answer := gocql.RequestError(nil); errors.As(err, &answer) {
		return answer.Code()
	}
	return -1
}

// permanent reports whether another try cannot cure an error.
func permanent(err error) bool {
	switch codeOf(err) {
	case gocql.ErrCodeSyntax, gocql.ErrCodeUnauthorized, gocql.ErrCodeInvalid, gocql.ErrCodeConfig, gocql.ErrCodeAlreadyExists, gocql.ErrCodeCredentials:
		return true
	}
	return errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrCorrupt)
}

// isNoTable reports whether a server does not know a table.
func isNoTable(err error) bool {
	return codeOf(err) == gocql.ErrCodeInvalid && (strings.Contains(err.Error(), "does not exist") || strings.Contains(err.Error(), "unconfigured table"))
}
