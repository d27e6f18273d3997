package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"speedlayer/internal/problem"
)

// BatchClient is the batch layer of a server.
type BatchClient struct {
	base string
	http *http.Client
}

// NewBatchClient makes the client of the server at a base URL.
func NewBatchClient(base string, client *http.Client) *BatchClient {
	return &BatchClient{base: strings.TrimSuffix(base, "/"), http: client}
}

func (c *BatchClient) call(ctx context.Context, method, path string) (*BatchStatus, error) {
	s := new(BatchStatus)
	return s, c.do(ctx, method, path, s)
}

// do makes a call and decodes its answer.
func (c *BatchClient) do(ctx context.Context, method, path string, answer any) error {
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

// Status is where the batch layer stands.
func (c *BatchClient) Status(ctx context.Context) (*BatchStatus, error) {
	return c.call(ctx, http.MethodGet, batchPath)
}

// Start has the server begin a run.
func (c *BatchClient) Start(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, batchRunPath)
	return err
}

// Rollback has the server go back to the run before.
func (c *BatchClient) Rollback(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, batchBack)
	return err
}

// Accuracy returns what the last runs found out about the speed layer.
func (c *BatchClient) Accuracy(ctx context.Context) (*Accuracies, error) {
	a := new(Accuracies)
	return a, c.do(ctx, http.MethodGet, accuracyPath, a)
}
