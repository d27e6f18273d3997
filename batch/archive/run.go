package archive

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"speedlayer/store"
)

// ArchiveTo archives all that is committed. It waits until the archive covers the
// vector, and returns the manifest. A *HoleError reports that a part of the
// log is lost.
func (a *Archiver) ArchiveTo(ctx context.Context, vector []store.VectorEntry) (*Manifest, error) {
	const pause = 20 * time.Millisecond // between checks of the commits
	for {
		m, err := a.Archive(ctx)
		if err == nil {
			err = m.Covers(vector)
			if hole := new(HoleError); !errors.As(err, &hole) || hole.Lost != "" {
				return m, err
			}
		} else if !errors.Is(err, errLost) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

// Archive archives all that is committed now.
func (a *Archiver) Archive(ctx context.Context) (*Manifest, error) {
	if err := a.take(ctx); err != nil {
		return nil, err
	}
	defer a.give()
	for {
		more, err := a.pass(ctx)
		if err != nil {
			a.m = nil // what was made for it is of no use; see takeOver
			return nil, err
		}
		if !more {
			return a.m, nil
		}
	}
}

// lookEvery is how often Run checks what waits.
const lookEvery = 5 * time.Second

// Run archives waiting records now and then, and compacts, until ctx ends. It logs
// failures and tries again. While another archiver works on the same archive, Run
// only watches. It takes over when the other has written nothing for twice
// RollTime.
func (a *Archiver) Run(ctx context.Context) {
	every := min(lookEvery, a.cfg.RollTime)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var since time.Time // when records began to wait; zero at the start
	for ctx.Err() == nil {
		most, err := a.waiting(ctx)
		if most > 0 && (most >= a.cfg.RollRows || time.Since(since) >= a.cfg.RollTime) {
			if _, err = a.Archive(ctx); err == nil {
				_, err = a.compact(ctx, 1)
			}
			since = time.Now()
		} else if most == 0 {
			since = time.Now()
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, errLost):
			a.cfg.Logger.Warn("another archiver works on the archive: this one stands by")
			a.standBy(ctx)
		default:
			a.cfg.Logger.Warn("archive is behind, and will be tried again", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// waiting returns how many records wait in the shard with the most waiting records.
func (a *Archiver) waiting(ctx context.Context) (most int64, err error) {
	if err := a.take(ctx); err != nil {
		return 0, err
	}
	defer a.give()
	all, err := parts(ctx, a.cfg.Commits)
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		end := p.start
		if a.m == nil {
			end = min(end, p.end-1) // unknown: check
		} else if l := a.m.log(p.shard); l != nil {
			end = l.End
		}
		most = max(most, p.end-end)
	}
	return most, nil
}

// standBy returns when the archive has not changed for twice RollTime.
func (a *Archiver) standBy(ctx context.Context) {
	var seen uint64
	for ctx.Err() == nil {
		m, err := newest(ctx, a.cfg.Objects)
		if err == nil && m.Number == seen {
			return
		}
		if err == nil {
			seen = m.Number
		}
		// Several archivers on standby must not all start at once.
		pause := 2*a.cfg.RollTime + rand.N(a.cfg.RollTime)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}
