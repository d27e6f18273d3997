package archive

import (
	"context"
	"errors"
	"io"
)

// Errors of objects.
var (
	// ErrExists: an object of that name is there already.
	ErrExists = errors.New("archive: object exists")
	// ErrNotFound: no object of that name is there.
	ErrNotFound = errors.New("archive: object not found")
)

// Objects is where an archive lies: a folder (folder.go) or a bucket of an
// object store (bucket.go). Objects are immutable. Safe for concurrent use.
type Objects interface {
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

// readAll reads a small object.
func readAll(ctx context.Context, o Objects, name string) ([]byte, error) {
	obj, err := o.Open(ctx, name)
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
