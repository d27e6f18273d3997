package batch

import (
	"context"
	"errors"
	"time"

	"speedlayer/catalog"
	"speedlayer/store"
)

// keepRenewing says now and then that the run's owner lives, until ctx ends; it
// cancels ctx when the run is no longer this attempt's. The channel is closed
// when it has ended.
func (a *attempt) keepRenewing(ctx context.Context, cancel context.CancelCauseFunc) <-chan struct{} {
	ended := make(chan struct{})
	if a.Lease == 0 {
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		timer := time.NewTicker(a.Lease / 4)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if err := a.renew(ctx); errors.Is(err, ErrOvertaken) {
				cancel(err)
				return
			}
		}
	}()
	return ended
}

// renew is the sign of life. An answer that is lost makes the run fail, so it is
// given up only when the pointer requires it.
func (a *attempt) renew(ctx context.Context) error {
	return a.swap(ctx, func(p *store.Pointer) {
		if p.Running != nil {
			p.Running.Renewed = a.now().UnixMilli()
		}
	})
}

// releaseTime bounds the last word of a failed run.
const releaseTime = 5 * time.Second

// release reports that nobody works on the run any more, and why. It is said if it
// can be: the run can be done again without it, after its lease. A run whose
// marker did not count cannot: its number is spent.
func (a *attempt) release(ctx context.Context, why error) {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	_, err := catalog.Update(ctx, a.Store, func(p *store.Pointer) (bool, error) {
		if p.Running == nil || p.Running.Number != a.number() || p.Running.Owner != a.Owner {
			return false, nil // switched after all, or taken over
		}
		p.Running.Owner, p.Running.Failed = "", why.Error()
		if errors.Is(why, ErrNotCounted) {
			p.Running = nil
		}
		return true, nil
	})
	if err != nil {
		a.logger().Warn("a failed batch run is not given back; it can be taken over after its lease", "run", a.number(), "err", err)
	}
}
