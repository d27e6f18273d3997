package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
)

// Errors of objects.
var (
	// ErrExists: an object of that name is there already.
	ErrExists = errors.New("object exists")
	// ErrNotFound: no object of that name is there.
	ErrNotFound = errors.New("object not found")
)

// Store is a folder (folder.go) or a bucket of an object store (bucket.go).
// Objects are immutable. Safe for concurrent use.
type Store interface {
	// Create makes an object whole and durable, or not at all. It is ErrExists,
	// and nothing changes, if one of that name is there: of two that make it at
	// once, one wins. After another error it may be there or not.
	Create(ctx context.Context, name string, from io.Reader, size int64) error
	// Open reads an object; ErrNotFound when it is not there. The caller closes it.
	Open(ctx context.Context, name string) (Object, error)
	// List calls fn for every object whose name begins with prefix.
	List(ctx context.Context, prefix string, fn func(name string, size int64) error) error
	// Delete removes an object. One that is not there is no error.
	Delete(ctx context.Context, name string) error
	Close() error
}

// Object is one that is open for reading.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Open opens the store at a URL, or a folder.
func Open(storeURL string) (Store, error) {
	u, err := url.Parse(storeURL)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", storeURL, err)
	}
	switch u.Scheme {
	case "":
		return openFolder(storeURL)
	case "file":
		if u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("%q: allowed is file:///FOLDER", storeURL)
		}
		return openFolder(u.Path)
	case "s3":
		return openBucket(u)
	case "gs", "azblob":
		return nil, fmt.Errorf("%q: %s:// is not supported: object storage is S3, or a server that speaks S3 and refuses to create an object twice (If-None-Match), as in s3://BUCKET/FOLDER?endpoint=https://HOST&region=R", storeURL, u.Scheme)
	}
	return nil, fmt.Errorf("%q: scheme %q is not known: allowed is a folder, or a URL of file or s3", storeURL, u.Scheme)
}

// ReadAll reads a small object.
func ReadAll(ctx context.Context, s Store, name string) ([]byte, error) {
	obj, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, obj.Size())
	_, err = obj.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b, errors.Join(err, obj.Close())
}
