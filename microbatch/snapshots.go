package microbatch

import (
	"context"
	"time"
)

// snapshotIfDue takes a snapshot of the operator state right after a commit,
// and has it written beside the processor. It is skipped while another one,
// of any partition, is being written.
func (w *worker) snapshotIfDue(ctx context.Context) {
	select {
	case err := <-w.snapDone:
		w.snapshotSaved(err)
	default:
	}
	if w.inFlight || w.proc.Next() < w.proc.Committed() || w.proc.Next() == w.snapshot ||
		time.Since(w.snapAt) < w.r.cfg.SnapshotEvery {
		return
	}
	var buf []byte
	select {
	case buf = <-w.r.snapshots:
	default:
		return
	}
	buf = w.proc.AppendState(buf[:0])
	w.snapStart = w.proc.Next()
	w.snapAt = time.Now()
	w.inFlight = true
	// Ends when it is written; awaitSnapshot waits for it before the worker ends.
	go func(offset int64) {
		err := SaveSnapshot(context.WithoutCancel(ctx), w.r.cfg.Store, w.proc.cfg.Shard, offset, buf)
		w.r.snapshots <- buf
		w.snapDone <- err
	}(w.snapStart)
}

func (w *worker) snapshotSaved(err error) {
	w.inFlight = false
	if err != nil {
		w.log.Warn("snapshot not saved; the one before stays", "err", err)
		return
	}
	w.snapshot = w.snapStart
	if w.r.cfg.Snapshotted != nil {
		w.r.cfg.Snapshotted(w.part, w.snapshot)
	}
}

func (w *worker) awaitSnapshot() {
	if w.inFlight {
		w.snapshotSaved(<-w.snapDone)
	}
}
