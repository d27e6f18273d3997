package pebble

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A store that was just opened is about to be read. Processors that take over
// have empty caches and look for cells all over the database, and a restart
// lasts until they have caught up. So for a while the store caches more blocks, and
// holds back compactions, which would rewrite those very blocks.
const (
	startFor   = 5 * time.Second
	startBytes = 48 << 20 // of batches, before flushed tables pile up
	startCache = 3        // times Options.CacheBytes
)

// start is that phase. It ends after startFor, after startBytes, or with Close.
type start struct {
	cache     *pebble.Cache
	spare     int64 // bytes that the cache is to give up
	scheduler *scheduler
	timer     *time.Timer
	over      sync.Once
	written   atomic.Int64
}

// beginStart takes a reference to the cache, which is larger by spare bytes.
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

// end ends the start phase. It may be called more than once.
func (st *start) end() {
	st.over.Do(func() {
		st.timer.Stop()
		st.cache.Reserve(int(st.spare))
		st.cache.Unref()
		st.scheduler.release()
	})
}

// close ends the phase of a store that closes. It does not release the waiting
// compactions, because Close would only have to wait for them.
func (st *start) close() {
	st.over.Do(func() {
		st.timer.Stop()
		st.cache.Unref()
	})
}
