package node

import (
	"context"
	"errors"
	"net/http"

	"speedlayer/batch"
	"speedlayer/catalog"
	"speedlayer/event"
	"speedlayer/internal/problem"
	"speedlayer/store"
)

// Paths of the batch layer.
const (
	batchPath    = "/api/v1/batch"
	batchRunPath = "/api/v1/batch/run"
	batchBack    = "/api/v1/batch/rollback"
)

// BatchStatus is where the batch layer stands.
type BatchStatus struct {
	Current     *BatchRun     `json:"current"`  // what answers build on; null: none
	Previous    *BatchRun     `json:"previous"` // what a rollback goes back to
	Running     *BatchRunning `json:"running"`  // under way, or failed and to be done again
	Generations []uint32      `json:"generations"`
	Open        []uint32      `json:"open_generations"` // that answers read
	// Of this process: whether it works on a run, how many have ended in it, and
	// how the last one did.
	Working bool   `json:"working"`
	Ended   int    `json:"ended"`
	Error   string `json:"error,omitempty"`
}

// BatchRun is a complete run.
type BatchRun struct {
	Number uint32              `json:"number"`
	Until  string              `json:"until,omitempty"` // what the log had then is absorbed
	Vector []store.VectorEntry `json:"vector"`
}

// BatchRunning is a run under way, or one that failed.
type BatchRunning struct {
	BatchRun
	Owner  string  `json:"owner,omitempty"`
	Failed string  `json:"failed,omitempty"`
	Step   string  `json:"step,omitempty"`
	Share  float64 `json:"share,omitempty"` // of the computation, 0 to 1
	PerSec float64 `json:"records_per_second,omitempty"`
}

func runOf(r *store.Run) *BatchRun {
	if r == nil {
		return nil
	}
	run := &BatchRun{Number: r.Number, Vector: r.Vector}
	if r.Started > 0 {
		run.Until = event.FormatTime(r.Started)
	}
	return run
}

// Status reports where the batch layer stands.
func (b *Batch) Status(ctx context.Context) (*BatchStatus, error) {
	p, err := b.node.store.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	s := &BatchStatus{Current: runOf(p.Current), Previous: runOf(p.Previous), Generations: p.Generations, Open: p.Open()}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Working, s.Ended = b.mu.working, b.mu.ended
	if b.mu.err != nil {
		s.Error = b.mu.err.Error()
	}
	if p.Running != nil {
		s.Running = &BatchRunning{BatchRun: *runOf(&p.Running.Run), Owner: p.Running.Owner, Failed: p.Running.Failed}
		if b.mu.working {
			s.Running.Step, s.Running.Share, s.Running.PerSec = b.mu.step, b.mu.share, b.mu.perSec
		}
	}
	return s, nil
}

// handlers serve the batch layer.
func (b *Batch) handlers() map[string]problem.Methods {
	act := func(status int, do func(context.Context) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.Context()); err != nil {
				writeBatchError(w, err)
				return
			}
			b.writeStatus(w, r, status)
		}
	}
	return map[string]problem.Methods{
		batchPath:    {http.MethodGet: func(w http.ResponseWriter, r *http.Request) { b.writeStatus(w, r, http.StatusOK) }},
		batchRunPath: {http.MethodPost: act(http.StatusAccepted, b.Start)},
		batchBack:    {http.MethodPost: act(http.StatusOK, b.Rollback)},
		accuracyPath: {http.MethodGet: b.getAccuracy},
	}
}

func (b *Batch) writeStatus(w http.ResponseWriter, r *http.Request, status int) {
	s, err := b.Status(r.Context())
	if err != nil {
		writeBatchError(w, err)
		return
	}
	writeJSON(w, status, s)
}

func writeBatchError(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, batch.ErrRunning) || errors.Is(err, catalog.ErrNoRollback) {
		status = http.StatusConflict
	}
	problem.Write(w, problem.Details{Status: status, Detail: err.Error()})
}
