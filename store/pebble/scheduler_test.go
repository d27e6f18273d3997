package pebble

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// No compaction begins while the scheduler holds them, however many tables are in
// L0. All waiting ones are done after release, without another write.
func TestCompactionsWaitForRelease(t *testing.T) {
	s := newScheduler()
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	opts := tune(Options{FS: vfs.NewMem(), MemTableBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)}, cache, s)
	opts.L0CompactionThreshold = 2
	begun, ended := make(chan struct{}, 100), make(chan struct{}, 100)
	opts.EventListener = &pebble.EventListener{
		CompactionBegin: func(pebble.CompactionInfo) { begun <- struct{}{} },
		CompactionEnd:   func(pebble.CompactionInfo) { ended <- struct{}{} },
	}
	db, err := pebble.Open("db", opts)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		// One key is in every table, so that they overlap.
		for _, key := range []string{"a", fmt.Sprint("b", n), "c"} {
			if err := db.Set([]byte(key), []byte("value"), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.Metrics().Levels[0].Sublevels; n != 10 || len(begun) > 0 {
		t.Fatalf("%d sublevels of 10, %d compactions begun before release", n, len(begun))
	}
	s.release()
	<-ended
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
