package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"speedlayer/internal/devcluster"
)

// Times of batch runs here.
const (
	runLease = 4 * time.Second // as --batch-lease
	// runOf is how long a run takes at most, not counting what is killed: a
	// fault hits some moment of it, or the dropping of tables after it.
	runOf = 6 * time.Second
)

// injectInRun begins a batch run, does what the fault says at some moment of it,
// mends it, and returns when a run has completed that began no earlier.
func (w *world) injectInRun(ctx context.Context, f Fault) error {
	before, err := w.batch(ctx)
	if err != nil {
		return err
	}
	if f.Kind == RollBack {
		return w.runAndRollBack(ctx, before)
	}
	if err := w.begin(ctx, before); err != nil {
		return err
	}
	// A fault lasts 1 to 6 s; here that is when it happens, 0 to runOf.
	share := (f.For - time.Second).Seconds() / 5
	if err := wait(ctx, time.Duration(share*float64(runOf))); err != nil {
		return err
	}
	processor := w.processors[f.Which%processors]
	switch f.Kind {
	case KillRun:
		err = w.killNode(ctx, w.query, 0)
	case KillProcessorInRun:
		err = w.killNode(ctx, processor, 0)
	case KillBothInRun:
		if err = errors.Join(w.query.kill(), processor.kill()); err == nil {
			err = w.startNodes(ctx)
		}
	case RegionServerInRun:
		err = w.killServer(ctx, devcluster.RegionServer(1+f.Which%2), 0)
	}
	if err != nil {
		return err
	}
	_, err = w.completed(ctx, before)
	return err
}

// runAndRollBack has a run completed, goes back to the run before, if there is
// one, and has another run completed.
func (w *world) runAndRollBack(ctx context.Context, before *batchState) error {
	if err := w.begin(ctx, before); err != nil {
		return err
	}
	after, err := w.completed(ctx, before)
	if err != nil || after.Previous == nil {
		return err
	}
	if err := w.rollBack(ctx, after); err != nil {
		return err
	}
	now, err := w.batch(ctx)
	if err != nil {
		return err
	}
	if err := w.begin(ctx, now); err != nil {
		return err
	}
	_, err = w.completed(ctx, now)
	return err
}

// rollBack goes back to the run before, which queries use from then on.
func (w *world) rollBack(ctx context.Context, now *batchState) error {
	err := w.retried(ctx, func() error {
		_, err := w.ask(ctx, http.MethodPost, "/api/v1/batch/rollback", nil)
		return err
	})
	if err != nil {
		return err
	}
	back, err := w.batch(ctx)
	if err == nil && (back.Current == nil || back.Current.Number != now.Previous.Number) {
		err = fmt.Errorf("rolled back from run %d to %v, not %d", now.Current.Number, back.Current, now.Previous.Number)
	}
	return err
}

// batchState is what the API says of the batch layer.
type batchState struct {
	Current, Previous, Running *struct{ Number uint32 }
	Generations                []uint32
	Working                    bool
	Error                      string
}

func (b *batchState) current() uint32 {
	if b.Current == nil {
		return 0
	}
	return b.Current.Number
}

func (w *world) batch(ctx context.Context) (*batchState, error) {
	var b batchState
	err := w.retried(ctx, func() error {
		_, err := w.ask(ctx, http.MethodGet, "/api/v1/batch", &b)
		return err
	})
	return &b, err
}

// begin begins a run. One before it may be at dropping tables still, and one that
// was killed is left to its owner for a while.
func (w *world) begin(ctx context.Context, before *batchState) error {
	return w.retried(ctx, func() error {
		status, err := w.ask(ctx, http.MethodPost, "/api/v1/batch/run", nil)
		if status == http.StatusConflict {
			if now, err := w.batch(ctx); err == nil && now.current() > before.current() {
				return nil // it has completed meanwhile
			}
		}
		return err
	})
}

// completed waits until a run later than before's is current, and begins it again
// when it failed or was killed.
func (w *world) completed(ctx context.Context, before *batchState) (now *batchState, err error) {
	err = w.retried(ctx, func() error {
		if now, err = w.batch(ctx); err != nil {
			return err
		}
		switch {
		case now.current() > before.current():
			return nil
		case !now.Working:
			_, err := w.ask(ctx, http.MethodPost, "/api/v1/batch/run", nil) // refused while the dead owner's lease lasts
			return errors.Join(errors.New("begun again"), err, errors.New(now.Error))
		}
		return errors.New("still at work")
	})
	return now, err
}

// retried does something until it succeeds, or for as long as a recovery may take.
func (w *world) retried(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Recovery)
	defer cancel()
	for {
		err := do()
		if err == nil {
			return nil
		}
		if waited := wait(ctx, poll); waited != nil {
			return errors.Join(err, waited)
		}
	}
}

// ask asks the query node, and reads its answer into to unless that is nil.
func (w *world) ask(ctx context.Context, method, path string, to any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, w.query.url+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, body)
	}
	if err == nil && to != nil {
		err = json.Unmarshal(body, to)
	}
	return resp.StatusCode, err
}
