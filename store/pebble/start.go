package pebble

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A store that was just opened is about to be read: processors that take over
// find their caches empty, look for cells all over the database, and a restart
// lasts until they have caught up. So for a while more blocks are kept, and
// compactions, which rewrite those very blocks, wait.
const (
	startFor   = 5 * time.Second
	startBytes = 48 << 20 // of batches, before flushed tables pile up
	startCache = 3        // times Options.CacheBytes
)

// start is that while. It ends after startFor, after startBytes, or with Close.
type start struct {
	cache     *pebble.Cache
	spare     int64 // bytes that the cache is to give up
	scheduler *scheduler
	timer     *time.Timer
	over      sync.Once
	written   atomic.Int64
}

// beginStart takes a reference to the cache, which is spare bytes too large.
func beginStart(cache *pebble.Cache, spare int64, s *scheduler) *start {
	cache.Ref()
	st := &start{cache: cache, spare: spare, scheduler: s}
	st.timer = time.AfterFunc(startFor, st.end)
	return st
}

// wrote counts bytes of batches.
func (st *start) wrote(n int) {
	if st.written.Add(int64(n)) >= startBytes {
		st.end()
	}
}

// end makes the store one that is at work. It may be called again.
func (st *start) end() {
	st.over.Do(func() {
		st.timer.Stop()
		st.cache.Reserve(int(st.spare))
		st.cache.Unref()
		st.scheduler.release()
	})
}

// close is for a store that closes: compactions that have waited so far would only
// be waited for.
func (st *start) close() {
	st.over.Do(func() {
		st.timer.Stop()
		st.cache.Unref()
	})
}
