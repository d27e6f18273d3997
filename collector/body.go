package collector

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"speedlayer/internal/httpserver"
	"speedlayer/internal/problem"
)

// bodyType reports whether a body is JSON lines. Without a content type it is
// JSON; so is text/plain, which browsers send across origins without asking
// first.
func bodyType(h http.Header) (lines bool, _ *problem.Details) {
	values := h["Content-Type"]
	if len(values) == 0 || values[0] == "application/json" {
		return false, nil
	}
	media, params, err := mime.ParseMediaType(values[0])
	if charset := params["charset"]; err == nil && len(values) == 1 && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		switch media {
		case "application/json", "text/plain":
			return false, nil
		case "application/x-ndjson", "application/ndjson", "application/jsonl":
			return true, nil
		}
	}
	return false, &problem.Details{Status: http.StatusUnsupportedMediaType, Field: "Content-Type",
		Detail:  fmt.Sprintf("%q is not taken", strings.Join(values, ", ")),
		Allowed: "application/json or text/plain (one object or an array), application/x-ndjson (JSON lines), in UTF-8"}
}

// Reasons why reading a body ends early.
var (
	errTooLarge = errors.New("body too large")
	errBusy     = errors.New("too many bytes in flight")
)

// read reads the body, unpacked, into b.body.
func (b *batch) read(w http.ResponseWriter, r *http.Request) *problem.Details {
	if r.ContentLength > int64(b.c.limits.BodyBytes) {
		return b.tooLarge()
	}
	in := io.Reader(r.Body)
	encoding := r.Header.Get("Content-Encoding")
	switch strings.ToLower(encoding) {
	case "", "identity":
		return b.readProblem(b.readAll(in, int(r.ContentLength)))
	case "gzip", "x-gzip":
		return b.readProblem(b.unpackGzip(in))
	case "zstd":
		return b.readProblem(b.unpackZstd(in))
	}
	w.Header().Set("Accept-Encoding", "gzip, zstd")
	return &problem.Details{Status: http.StatusUnsupportedMediaType, Field: "Content-Encoding",
		Detail: fmt.Sprintf("%q is not taken", encoding), Allowed: "gzip, zstd, or none"}
}

func (b *batch) readProblem(err error) *problem.Details {
	var long *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTooLarge), errors.As(err, &long):
		return b.tooLarge()
	case errors.Is(err, errBusy):
		return &problem.Details{Status: http.StatusTooManyRequests, RetryAfter: retryAfter,
			Detail: "too many bytes in flight; send the same body again"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem.Details{Status: http.StatusRequestTimeout, Field: "body",
			Detail: "the body came too slowly", Allowed: fmt.Sprintf("%d bytes a second, after %v", httpserver.MinRate, httpserver.ReadGrace)}
	}
	return &problem.Details{Status: http.StatusBadRequest, Field: "body", Detail: "the body could not be read: " + err.Error()}
}

func (b *batch) tooLarge() *problem.Details {
	return &problem.Details{Status: http.StatusRequestEntityTooLarge, Field: "body",
		Detail: "the body is too large", Allowed: fmt.Sprintf("%d bytes, unpacked", b.c.limits.BodyBytes)}
}

// firstRead is how much room a body gets at first.
const firstRead = 4 << 10

// readAll reads to the end. Room is reserved at the gate before it is filled, and
// doubled whenever it is full: what counts is what a client has sent, not what it
// announced. Otherwise a few clients that announce much and send nothing would
// keep all others out. length is the one that was announced, or -1.
func (b *batch) readAll(in io.Reader, length int) error {
	if length == 0 {
		return nil
	}
	for {
		if len(b.body) >= b.reserved {
			if len(b.body) > b.c.limits.BodyBytes {
				return errTooLarge
			}
			room := max(firstRead, b.reserved)
			if length > 0 { // the last byte's room is where the end is noticed
				room = max(1, min(room, length+1-b.reserved))
			}
			if !b.c.gate.reserve(room) {
				return errBusy
			}
			b.reserved += room
			b.grow(b.reserved)
		}
		n, err := in.Read(b.body[len(b.body):b.reserved])
		b.body = b.body[:len(b.body)+n]
		if errors.Is(err, io.EOF) {
			if len(b.body) > b.c.limits.BodyBytes {
				return errTooLarge
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// grow makes the capacity of the body at least n.
func (b *batch) grow(n int) {
	if cap(b.body) < n {
		larger := make([]byte, len(b.body), n)
		copy(larger, b.body)
		b.body = larger
	}
}

var gzipReaders, zstdReaders sync.Pool

func (b *batch) unpackGzip(in io.Reader) error {
	z, ok := gzipReaders.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	defer gzipReaders.Put(z)
	if err := z.Reset(in); err != nil {
		return unpackError(err)
	}
	return unpackError(b.readAll(z, -1))
}

// zstdWindow bounds a decoder's memory, in bytes: what RFC 8878 recommends
// decoders to support.
const zstdWindow = 8 << 20

func (b *batch) unpackZstd(in io.Reader) error {
	z, ok := zstdReaders.Get().(*zstd.Decoder)
	if !ok {
		var err error
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return err
		}
	}
	defer func() {
		_ = z.Reset(nil)
		zstdReaders.Put(z)
	}()
	if err := z.Reset(in); err != nil {
		return unpackError(err)
	}
	return unpackError(b.readAll(z, -1))
}

// unpackError tells a packed body that is cut off from an empty one.
func unpackError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
