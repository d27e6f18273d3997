package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
	"gocloud.dev/gcerrors"
)

// bucket is a bucket of an object store. That a name is free is checked by the
// store in one step with the write (If-None-Match on S3 and Azure, generation 0
// on Google's).
type bucket struct{ b *blob.Bucket }

// openBucket opens SCHEME://BUCKET/FOLDER?OPTIONS; the options are gocloud's.
func openBucket(ctx context.Context, u *url.URL) (*bucket, error) {
	folder := strings.Trim(u.Path, "/")
	whole := *u
	whole.Path = ""
	b, err := blob.OpenBucket(ctx, whole.String())
	if err != nil {
		return nil, fmt.Errorf("archive %s://%s: %w", u.Scheme, u.Host, err)
	}
	if folder != "" {
		b = blob.PrefixedBucket(b, folder+"/")
	}
	return &bucket{b}, nil
}

// objectError translates gocloud's errors.
func objectError(name string, err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.OK:
		return nil
	case gcerrors.NotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	case gcerrors.FailedPrecondition:
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	return fmt.Errorf("archive: %s: %w", name, err)
}

func (b *bucket) Create(ctx context.Context, name string, from io.Reader, size int64) error {
	// A writer whose context has ended stores nothing when it is closed.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.b.NewWriter(ctx, name, &blob.WriterOptions{IfNotExist: true, ContentType: "application/octet-stream"})
	if err != nil {
		return objectError(name, err)
	}
	n, err := io.Copy(w, from)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes instead of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	if err != nil {
		cancel()
		return errors.Join(fmt.Errorf("archive: %s: %w", name, err), w.Close())
	}
	return objectError(name, w.Close())
}

func (b *bucket) Open(ctx context.Context, name string) (Object, error) {
	a, err := b.b.Attributes(ctx, name)
	if err != nil {
		return nil, objectError(name, err)
	}
	return &bucketObject{ctx: ctx, b: b.b, name: name, size: a.Size}, nil
}

func (b *bucket) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	for it := b.b.List(&blob.ListOptions{Prefix: prefix}); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return objectError(prefix, err)
		}
		if err := fn(o.Key, o.Size); err != nil {
			return err
		}
	}
}

func (b *bucket) Delete(ctx context.Context, name string) error {
	if err := b.b.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return objectError(name, err)
	}
	return nil
}

func (b *bucket) Close() error { return b.b.Close() }

// bucketObject reads by ranges, a request each; its context is that of Open.
type bucketObject struct {
	ctx  context.Context
	b    *blob.Bucket
	name string
	size int64
}

func (o *bucketObject) ReadAt(p []byte, off int64) (int, error) {
	if off >= o.size {
		return 0, io.EOF
	}
	r, err := o.b.NewRangeReader(o.ctx, o.name, off, min(int64(len(p)), o.size-off), nil)
	if err != nil {
		return 0, objectError(o.name, err)
	}
	n, err := io.ReadFull(r, p[:min(int64(len(p)), o.size-off)])
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, errors.Join(err, r.Close())
}

func (o *bucketObject) Size() int64  { return o.size }
func (o *bucketObject) Close() error { return nil }
