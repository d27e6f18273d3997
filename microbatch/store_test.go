package microbatch

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/store/pebble"
)

func memStore(t testing.TB) *pebble.Store {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
