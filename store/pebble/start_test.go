package pebble

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The start phase ends once, after enough writes or when its time is over. The cache
// then gives up its spare blocks and compactions may begin. A store that closes
// before then begins none.
func TestStartEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(*start)
		still bool
	}{
		{"a little written", func(s *start) { s.wrote(startBytes - 1) }, true},
		{"written", func(s *start) { s.wrote(startBytes - 1); s.wrote(1) }, false},
		{"its time, twice", func(s *start) { s.end(); s.end() }, false},
		{"closing", func(s *start) { s.close(); s.end() }, true},
	} {
		s, err := Open(Options{Dir: "db", FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		if !s.start.scheduler.holds() {
			t.Fatalf("%s: compactions do not wait after Open", c.name)
		}
		c.end(s.start)
		if held := s.start.scheduler.holds(); held != c.still {
			t.Errorf("%s: compactions wait: %v", c.name, held)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// When the start phase ends, the cache gives up what it held in addition.
func TestStartCache(t *testing.T) {
	const size = 1 << 20
	s, err := Open(Options{Dir: "db", FS: vfs.NewMem(), CacheBytes: size, MemTableBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.start.timer.Stop() // a slow machine must not end the phase before the test does
	random := rand.NewChaCha8([32]byte{1})
	value := make([]byte, 1000) // random, so that blocks do not compress
	for n := range 6000 {
		_, _ = random.Read(value)
		if err := s.db.Set(fmt.Appendf(nil, "x%08d", n), value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	for n := range 6000 {
		if _, err := get(s.db, fmt.Appendf(nil, "x%08d", n), func([]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	before := s.db.Metrics().BlockCache.Size
	s.start.end()
	if after := s.db.Metrics().BlockCache.Size; before < 2*size || after > size {
		t.Errorf("the cache of %d bytes held %d at first, %d then", size, before, after)
	}
}
