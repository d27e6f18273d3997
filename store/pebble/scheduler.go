package pebble

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// scheduler is pebble.ConcurrencyLimitScheduler with one addition: no compaction
// begins before release. It lets as many run at a time as the database allows.
type scheduler struct {
	db   pebble.DBForCompaction
	poke chan struct{} // something changed: one more may be allowed
	stop chan struct{}
	done chan struct{} // closed when grant has returned

	mu struct {
		sync.Mutex
		held    bool
		running int
	}
}

func newScheduler() *scheduler {
	s := &scheduler{poke: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	s.mu.held = true
	return s
}

// Register implements pebble.CompactionScheduler.
func (s *scheduler) Register(_ int, db pebble.DBForCompaction) {
	s.db = db
	go s.grant() // Unregister ends it
}

// Unregister implements pebble.CompactionScheduler.
func (s *scheduler) Unregister() {
	s.mu.Lock()
	s.mu.held = true
	s.mu.Unlock()
	close(s.stop)
	<-s.done
}

// release lets compactions begin.
func (s *scheduler) release() {
	s.mu.Lock()
	s.mu.held = false
	s.mu.Unlock()
	s.UpdateGetAllowedWithoutPermission()
}

func (s *scheduler) holds() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.held
}

// TrySchedule implements pebble.CompactionScheduler.
func (s *scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.held || s.mu.running >= s.db.GetAllowedWithoutPermission() {
		return false, nil
	}
	s.mu.running++
	return true, s
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler.
func (s *scheduler) UpdateGetAllowedWithoutPermission() {
	select {
	case s.poke <- struct{}{}:
	default: // grant is about to look anyway
	}
}

// grant starts waiting compactions until Unregister is called.
func (s *scheduler) grant() {
	defer close(s.done)
	tick := time.NewTicker(100 * time.Millisecond) // the allowed number also grows without notice
	defer tick.Stop()
	for {
		select {
		case <-s.poke:
		case <-tick.C:
		case <-s.stop:
			return
		}
		for {
			ok, handle := s.TrySchedule()
			if !ok {
				break
			}
			if waiting, _ := s.db.GetWaitingCompaction(); !waiting || !s.db.Schedule(handle) {
				s.finished()
				break
			}
		}
	}
}

func (s *scheduler) finished() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.running--
}

// Done implements pebble.CompactionGrantHandle.
func (s *scheduler) Done() {
	s.finished()
	s.UpdateGetAllowedWithoutPermission()
}

// Started, MeasureCPU and CumulativeStats implement pebble.CompactionGrantHandle.
func (*scheduler) Started()                                          {}
func (*scheduler) MeasureCPU(pebble.CompactionGoroutineKind)         {}
func (*scheduler) CumulativeStats(pebble.CompactionGrantHandleStats) {}
