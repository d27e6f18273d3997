package microbatch

import "time"

// When a worker commits
//
// A batch is whatever has arrived, so a worker that has caught up could commit after
// every poll. An answer would then never be older than a sync. Two costs forbid it.
//
// Popular cells are large, and each commit writes them again. Under a steady stream,
// small batches write the same cells many times a second, and two cores do little
// else. And a commit ends with a sync, for which the queue's appends wait on the same
// disk. So a commit throttles its partition: the next one follows after a time that
// grows with what the commit wrote and with how long it took. A few events cost a few
// hundred bytes and a short sync, and are hardly delayed. The throttle never exceeds
// half of MaxDelay, so it cannot make a record wait longer than MaxDelay allows.
//
// A worker that is catching up is not throttled. It commits when the batch is full or
// when its first record has waited for the maximum delay, whichever comes first.
//
// The clock decides only when to commit, never what (law 2): the same records in other
// batches give the same cells.
const (
	// throttlePerByte limits a partition to writing 20 MB of cells a second.
	throttlePerByte = 50 * time.Nanosecond

	// throttlePerApply is how many times as long as its commit took a partition is
	// throttled: with single events, at most a third of its time goes into syncs.
	throttlePerApply = 2

	// maxDelayFactor bounds the delay of old records, in MaxDelays.
	maxDelayFactor = 20
)

// due reports whether to commit now.
func (w *worker) due() bool {
	now := time.Now()
	return w.reader.Behind() == 0 && !now.Before(w.throttled) ||
		w.records >= int64(w.r.cfg.MaxBatch) || w.proc.Full() || now.Sub(w.since) >= w.maxDelay()
}

// throttle sets when the next commit may follow one that wrote so many bytes and took
// so long.
func (w *worker) throttle(bytes int, apply time.Duration) {
	pause := max(time.Duration(bytes)*throttlePerByte, throttlePerApply*apply)
	w.throttled = time.Now().Add(min(pause, w.r.cfg.MaxDelay/2))
}

// maxDelay is how long a record may wait for its commit. Records that have been in the
// log for a while give old answers anyway, so they may wait for half of their age more.
// Larger batches write each cell less often, and the worker catches up sooner.
func (w *worker) maxDelay() time.Duration {
	age := time.Since(time.UnixMilli(w.proc.Counts().LogTime))
	return min(max(age/2, w.r.cfg.MaxDelay), maxDelayFactor*w.r.cfg.MaxDelay)
}
