package objects

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
)

// bucket is a folder of a bucket. That a name is free is checked by the store in
// one step with the write (If-None-Match).
type bucket struct {
	core   minio.Core
	name   string
	folder string // empty, or ends with /
	part   int64  // objects above it are sent in parts of this size, or larger ones

	mu        sync.Mutex
	exclusive bool // the store was seen to refuse a name that is taken
}

// partSize is small enough to be sent again after an error, and large enough for
// most objects to need a single request.
const partSize = 64 << 20

// maxParts is how many parts an object may have; S3's limit is 10000.
const maxParts = 9000

func openBucket(u *url.URL) (*bucket, error) {
	if u.Host == "" {
		return nil, fmt.Errorf("%q: allowed is s3://BUCKET/FOLDER", u)
	}
	c, err := s3Client(u)
	if err != nil {
		return nil, fmt.Errorf("s3://%s: %w", u.Host, err)
	}
	b := &bucket{core: minio.Core{Client: c}, name: u.Host, part: partSize}
	if folder := strings.Trim(u.Path, "/"); folder != "" {
		b.folder = folder + "/"
	}
	return b, nil
}

// failed translates the client's errors, and reports where it was.
func (b *bucket) failed(name string, err error) error {
	if err == nil {
		return nil
	}
	var answer minio.ErrorResponse
	errors.As(err, &answer)
	switch {
	case answer.Code == minio.NoSuchKey:
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	case answer.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	return fmt.Errorf("s3://%s/%s%s at %s: %w", b.name, b.folder, name, b.core.EndpointURL().Host, err)
}

func (b *bucket) Create(ctx context.Context, name string, from io.Reader, size int64) error {
	if err := b.checkExclusive(ctx); err != nil {
		return err
	}
	return b.create(ctx, name, from, size)
}

func (b *bucket) create(ctx context.Context, name string, from io.Reader, size int64) error {
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true}
	opts.SetMatchETagExcept("*")
	if size > b.part {
		return b.failed(name, b.createInParts(ctx, b.folder+name, from, size, opts))
	}
	body, err := wholeBody(from, size)
	if err == nil {
		_, err = b.core.Client.PutObject(ctx, b.name, b.folder+name, body, size, opts)
	}
	return b.failed(name, err)
}

// wholeBody is size bytes of a reader, which can be read again when a request
// has to be sent again.
func wholeBody(from io.Reader, size int64) (io.Reader, error) {
	s, ok := from.(interface {
		io.ReadSeeker
		io.ReaderAt
	})
	if !ok {
		buf := make([]byte, size)
		n, err := io.ReadFull(from, buf)
		if err != nil {
			return nil, fmt.Errorf("%d bytes instead of %d: %w", n, size, eofIsShort(err))
		}
		return bytes.NewReader(buf), nil
	}
	at, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if end-at < size {
		return nil, fmt.Errorf("%d bytes instead of %d: %w", end-at, size, io.ErrUnexpectedEOF)
	}
	return io.NewSectionReader(s, at, size), nil
}

// createInParts sends an object in parts; the last request makes it, and is the
// one with the condition. The client's own way of sending parts drops it there.
func (b *bucket) createInParts(ctx context.Context, key string, from io.Reader, size int64, opts minio.PutObjectOptions) (err error) {
	id, err := b.core.NewMultipartUpload(ctx, b.name, key, minio.PutObjectOptions{ContentType: opts.ContentType})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // parts that nothing names cost money
			err = errors.Join(err, b.core.AbortMultipartUpload(context.WithoutCancel(ctx), b.name, key, id))
		}
	}()
	part := max(b.part, size/maxParts+1)
	var parts []minio.CompletePart
	for at, buf := int64(0), make([]byte, min(part, size)); at < size; at += int64(len(buf)) {
		buf = buf[:min(part, size-at)]
		if _, err := io.ReadFull(from, buf); err != nil {
			return fmt.Errorf("reading it at %d of %d bytes: %w", at, size, eofIsShort(err))
		}
		number := len(parts) + 1
		sent, err := b.core.PutObjectPart(ctx, b.name, key, id, number, bytes.NewReader(buf), int64(len(buf)), minio.PutObjectPartOptions{})
		if err != nil {
			return err
		}
		parts = append(parts, minio.CompletePart{PartNumber: number, ETag: sent.ETag})
	}
	_, err = b.core.CompleteMultipartUpload(ctx, b.name, key, id, parts, opts)
	return err
}

func eofIsShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// checkExclusive creates an object twice, once in the life of the bucket's user: a
// server that ignores the condition would let two archivers both win a manifest.
func (b *bucket) checkExclusive(ctx context.Context) (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.exclusive {
		return nil
	}
	name := ".create-twice/" + rand.Text()
	twice := func() error { return b.create(ctx, name, strings.NewReader("x"), 1) }
	if err := twice(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Delete(ctx, name)) }()
	switch err := twice(); {
	case err == nil:
		return fmt.Errorf("s3://%s at %s lets an object be created twice (it ignores If-None-Match): nothing that lies there could be trusted; use a store that refuses it, as Amazon's does",
			b.name, b.core.EndpointURL().Host)
	case !errors.Is(err, ErrExists):
		return err
	}
	b.exclusive = true
	return nil
}

func (b *bucket) Open(ctx context.Context, name string) (Object, error) {
	info, err := b.core.StatObject(ctx, b.name, b.folder+name, minio.StatObjectOptions{})
	if err != nil {
		return nil, b.failed(name, err)
	}
	return &bucketObject{ctx: ctx, b: b, name: name, size: info.Size}, nil
}

func (b *bucket) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the listing ends with it
	for o := range b.core.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: b.folder + prefix, Recursive: true}) {
		if o.Err != nil {
			return b.failed(prefix, o.Err)
		}
		if err := fn(strings.TrimPrefix(o.Key, b.folder), o.Size); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *bucket) Delete(ctx context.Context, name string) error {
	err := b.failed(name, b.core.RemoveObject(ctx, b.name, b.folder+name, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (b *bucket) Close() error { return nil }

// bucketObject reads by ranges, a request each; its context is that of Open.
type bucketObject struct {
	ctx  context.Context
	b    *bucket
	name string
	size int64
}

func (o *bucketObject) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if off >= o.size {
		return 0, io.EOF
	}
	end := min(off+int64(len(p)), o.size)
	var opts minio.GetObjectOptions
	if err := opts.SetRange(off, end-1); err != nil {
		return 0, err
	}
	r, _, _, err := o.b.core.GetObject(o.ctx, o.b.name, o.b.folder+o.name, opts)
	if err != nil {
		return 0, o.b.failed(o.name, err)
	}
	n, err := io.ReadFull(r, p[:end-off])
	if err != nil {
		err = o.b.failed(o.name, err)
	} else if n < len(p) {
		err = io.EOF
	}
	return n, errors.Join(err, r.Close())
}

func (o *bucketObject) Size() int64  { return o.size }
func (o *bucketObject) Close() error { return nil }
