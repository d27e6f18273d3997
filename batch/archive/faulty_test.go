package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"speedlayer/internal/objects"
)

// memory is objects in memory, for tests that need thousands of archives.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte
}

func newMemory() *memory { return &memory{files: map[string][]byte{}} }

func (m *memory) Create(_ context.Context, name string, from io.Reader, size int64) error {
	b, err := io.ReadAll(from)
	if err != nil || int64(len(b)) != size {
		return fmt.Errorf("%d bytes of %d: %w", len(b), size, errors.Join(err, io.ErrUnexpectedEOF))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; ok {
		return objects.ErrExists
	}
	m.files[name] = b
	return nil
}

type memoryObject struct{ *bytes.Reader }

func (memoryObject) Close() error { return nil }

func (m *memory) Open(_ context.Context, name string) (objects.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.files[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", objects.ErrNotFound, name)
	}
	return memoryObject{bytes.NewReader(b)}, nil
}

func (m *memory) List(_ context.Context, prefix string, fn func(string, int64) error) error {
	m.mu.Lock()
	all := maps.Clone(m.files)
	m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, prefix) {
			if err := fn(name, int64(len(all[name]))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
	return nil
}

func (m *memory) Close() error { return nil }

var errFault = errors.New("injected")

// fault is what happens at one step: a call of Create, Delete, Open or List.
type fault int

const (
	crashBefore fault = iota // neither the step nor any later one is done
	crashAfter               // the step is done, but no later one
	failBefore               // the step is not done and reports an error
	failAfter                // the step is done, but reports an error
	meanwhile                // something else happens before the step
	faults
)

func (f fault) String() string {
	return [...]string{"crash before", "crash after", "fails before", "fails after", "meanwhile"}[f]
}

// faulty is the objects of one archiver, with a fault at a step.
type faulty struct {
	objects.Store
	at    int // number of the step; -1: none
	what  fault
	do    func() // called at fault meanwhile
	steps int
	names []string // names of the steps
	dead  bool
	fired string // the step at which the fault fired
}

func (f *faulty) step(name string, do func() error) error {
	if f.dead {
		return errFault
	}
	n := f.steps
	f.steps++
	f.names = append(f.names, name)
	if n != f.at {
		return do()
	}
	f.fired = name
	switch f.what {
	case crashBefore:
		f.dead = true
		return errFault
	case crashAfter:
		_ = do()
		f.dead = true
		return errFault
	case failAfter:
		_ = do()
		return errFault
	case meanwhile:
		f.do()
		return do()
	default:
		return errFault
	}
}

func (f *faulty) Create(ctx context.Context, name string, from io.Reader, size int64) error {
	return f.step("create "+name, func() error { return f.Store.Create(ctx, name, from, size) })
}

func (f *faulty) Open(ctx context.Context, name string) (o objects.Object, err error) {
	err = f.step("open "+name, func() error { o, err = f.Store.Open(ctx, name); return err })
	return o, err
}

func (f *faulty) List(ctx context.Context, prefix string, fn func(string, int64) error) error {
	return f.step("list "+prefix, func() error { return f.Store.List(ctx, prefix, fn) })
}

func (f *faulty) Delete(ctx context.Context, name string) error {
	return f.step("delete "+name, func() error { return f.Store.Delete(ctx, name) })
}

var errEOF = io.EOF

// lockedBuffer is a buffer for logs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
