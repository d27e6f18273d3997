package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"speedlayer/event"
	"speedlayer/expire"
	"speedlayer/internal/problem"
	"speedlayer/store"
)

// Paths of the batch layer.
const (
	batchPath    = "/api/v1/batch"
	batchRunPath = "/api/v1/batch/run"
	batchBack    = "/api/v1/batch/rollback"
)

// batchStatus is where the batch layer stands.
type batchStatus struct {
	Current     *batchRun     `json:"current"`  // what answers build on; null: none
	Previous    *batchRun     `json:"previous"` // what a rollback goes back to
	Running     *batchRunning `json:"running"`  // under way, or failed and to be done again
	Generations []uint32      `json:"generations"`
	Open        []uint32      `json:"open_generations"` // that answers read
	// Of this process: whether it works on a run, how many have ended in it, and
	// how the last one did.
	Working bool   `json:"working"`
	Ended   int    `json:"ended"`
	Error   string `json:"error,omitempty"`
}

type batchRun struct {
	Number uint32              `json:"number"`
	Until  string              `json:"until,omitempty"` // what the log had then is absorbed
	Vector []store.VectorEntry `json:"vector"`
}

type batchRunning struct {
	batchRun
	Owner  string  `json:"owner,omitempty"`
	Failed string  `json:"failed,omitempty"`
	Step   string  `json:"step,omitempty"`
	Share  float64 `json:"share,omitempty"` // of the computation, 0 to 1
	PerSec float64 `json:"records_per_second,omitempty"`
}

// batchControl is the batch layer of this process, or of a server.
type batchControl interface {
	Status(ctx context.Context) (*batchStatus, error)
	Start(ctx context.Context) error
	Rollback(ctx context.Context) error
	Accuracy(ctx context.Context) (*accuracies, error)
}

func runOf(r *store.Run) *batchRun {
	if r == nil {
		return nil
	}
	run := &batchRun{Number: r.Number, Vector: r.Vector}
	if r.Started > 0 {
		run.Until = event.FormatTime(r.Started)
	}
	return run
}

// Status says where the batch layer stands.
func (b *batchSide) Status(ctx context.Context) (*batchStatus, error) {
	p, err := b.node.store.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	s := &batchStatus{Current: runOf(p.Current), Previous: runOf(p.Previous), Generations: p.Generations, Open: p.Open()}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Working, s.Ended = b.mu.working, b.mu.ended
	if b.mu.err != nil {
		s.Error = b.mu.err.Error()
	}
	if p.Running != nil {
		s.Running = &batchRunning{batchRun: *runOf(&p.Running.Run), Owner: p.Running.Owner, Failed: p.Running.Failed}
		if b.mu.working {
			s.Running.Step, s.Running.Share, s.Running.PerSec = b.mu.step, b.mu.share, b.mu.perSec
		}
	}
	return s, nil
}

// handlers serve the batch layer.
func (b *batchSide) handlers() map[string]problem.Methods {
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
		accuracyPath: accuracyHandlers(b),
	}
}

func (b *batchSide) writeStatus(w http.ResponseWriter, r *http.Request, status int) {
	s, err := b.Status(r.Context())
	if err != nil {
		writeBatchError(w, err)
		return
	}
	writeJSON(w, status, s)
}

func writeBatchError(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, expire.ErrRunning) || errors.Is(err, expire.ErrNoRollback) {
		status = http.StatusConflict
	}
	problem.Write(w, problem.Details{Status: status, Detail: err.Error()})
}

// batchClient is the batch layer of a server.
type batchClient struct {
	base string
	http *http.Client
}

func (c *batchClient) call(ctx context.Context, method, path string) (*batchStatus, error) {
	s := new(batchStatus)
	return s, c.do(ctx, method, path, s)
}

// do makes a call and decodes its answer.
func (c *batchClient) do(ctx context.Context, method, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from the server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		var d problem.Details
		if err := json.NewDecoder(resp.Body).Decode(&d); err != nil || d.Detail == "" {
			return fmt.Errorf("%s answered %s", c.base, resp.Status)
		}
		return errors.New(d.Detail)
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("answer of %s%s: %w", c.base, path, err)
	}
	return nil
}

// Status implements batchControl.
func (c *batchClient) Status(ctx context.Context) (*batchStatus, error) {
	return c.call(ctx, http.MethodGet, batchPath)
}

// Start implements batchControl.
func (c *batchClient) Start(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, batchRunPath)
	return err
}

// Rollback implements batchControl.
func (c *batchClient) Rollback(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, batchBack)
	return err
}

// Accuracy implements batchControl.
func (c *batchClient) Accuracy(ctx context.Context) (*accuracies, error) {
	a := new(accuracies)
	return a, c.do(ctx, http.MethodGet, accuracyPath, a)
}
