package compute_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"speedlayer/internal/objects"
)

// memObjects keeps the objects of an archive in memory.
type memObjects struct {
	mu   sync.Mutex
	objs map[string][]byte
}

type memObject struct{ *bytes.Reader }

func (memObject) Close() error { return nil }

func (m *memObjects) Create(_ context.Context, name string, from io.Reader, _ int64) error {
	b, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objs == nil {
		m.objs = map[string][]byte{}
	}
	if _, ok := m.objs[name]; ok {
		return objects.ErrExists
	}
	m.objs[name] = b
	return nil
}

func (m *memObjects) Open(_ context.Context, name string) (objects.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objs[name]
	if !ok {
		return nil, objects.ErrNotFound
	}
	return memObject{bytes.NewReader(b)}, nil
}

func (m *memObjects) List(_ context.Context, prefix string, fn func(name string, size int64) error) error {
	m.mu.Lock()
	var names []string
	for name := range m.objs {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	m.mu.Unlock()
	slices.Sort(names)
	for _, name := range names {
		if err := fn(name, int64(len(m.objs[name]))); err != nil {
			return err
		}
	}
	return nil
}

func (m *memObjects) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objs, name)
	return nil
}

func (m *memObjects) Close() error { return nil }

// writeTo writes all objects as files.
func (m *memObjects) writeTo(dir string) error {
	for name, b := range m.objs {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
