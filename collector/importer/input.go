package importer

import (
	"context"
	"errors"
	"io"
	"time"
)

// errStopped ends reading when the import is asked to stop.
var errStopped = errors.New("stopped")

// What standard input waits for.
const (
	idleTime  = 200 * time.Millisecond // until what was read is sent, when nothing more comes
	drainTime = time.Second            // for what was written before the import was asked to stop
)

// stopReader ends reading when the context does.
type stopReader struct {
	io.Reader
	ctx context.Context
}

func (r stopReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, errStopped
	}
	return r.Reader.Read(p)
}

// liveReader reads what may pause for hours, as the output of tail -F. When nothing
// comes for a while, idle is called; when the context ends, what has come is read
// to its end.
//
// Its goroutine ends with the input: a read of standard input cannot be broken off.
// After stop it takes one chunk more at most.
type liveReader struct {
	ctx    context.Context
	idle   func() error
	chunks chan chunk
	stop   chan struct{}
	rest   []byte
	err    error
}

type chunk struct {
	bytes []byte
	err   error
}

func newLiveReader(ctx context.Context, in io.Reader, idle func() error) *liveReader {
	r := &liveReader{ctx: ctx, idle: idle, chunks: make(chan chunk), stop: make(chan struct{})}
	go r.read(in)
	return r
}

func (r *liveReader) read(in io.Reader) {
	var buffers [2][64 << 10]byte // one is read into while the other is used
	for i := 0; ; i = 1 - i {
		buffer := buffers[i][:]
		n, err := in.Read(buffer)
		select {
		case r.chunks <- chunk{buffer[:n], err}:
		case <-r.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// close lets the goroutine end.
func (r *liveReader) close() { close(r.stop) }

func (r *liveReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next waits for a chunk.
func (r *liveReader) next() error {
	select {
	case c := <-r.chunks:
		r.rest, r.err = c.bytes, c.err
		return nil
	default:
	}
	timer := time.NewTimer(idleTime)
	defer timer.Stop()
	for {
		select {
		case c := <-r.chunks:
			r.rest, r.err = c.bytes, c.err
			return nil
		case <-timer.C:
			if err := r.idle(); err != nil {
				return err
			}
		case <-r.ctx.Done():
			select {
			case c := <-r.chunks:
				r.rest, r.err = c.bytes, c.err
				return nil
			case <-time.After(drainTime):
				return errStopped
			}
		}
	}
}
