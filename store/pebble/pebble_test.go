package pebble

import (
	"testing"

	"speedlayer/store"
	"speedlayer/store/storetest"
)

func TestConformance(t *testing.T) {
	open := func(t *testing.T, dir string) store.Store {
		t.Helper()
		s, err := Open(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T) store.Store { return open(t, t.TempDir()) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			dir := s.(*Store).opts.Dir
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, dir)
		},
	})
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if again, err := Open(Options{Dir: dir}); err == nil {
		_ = again.Close()
		t.Fatal("a second store opened the same directory")
	}
}
