package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"speedlayer/queue"
)

// Server is a sink that posts to another process's collector and waits until
// each batch is queryable there. What fails for a reason that passes is posted
// again: every line has its nonce, so that is harmless.
type Server struct {
	URL     string // of the server: http://127.0.0.1:8080
	Client  *http.Client
	Retries int // 0 is 10
}

// AppendSync implements Sink. Positions are not known: the batch is queryable
// when it returns.
func (s *Server) AppendSync(ctx context.Context, messages []queue.Message) ([]queue.Position, error) {
	var body bytes.Buffer
	for _, m := range messages {
		body.Write(m.Value)
		body.WriteByte('\n')
	}
	retries := s.Retries
	if retries == 0 {
		retries = 10
	}
	for attempt := 0; ; attempt++ {
		wait, err := s.post(ctx, body.Bytes(), len(messages))
		if err == nil {
			return nil, nil
		}
		if wait < 0 || attempt >= retries || ctx.Err() != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(max(wait, min(5*time.Second, 50*time.Millisecond<<attempt))):
		}
	}
}

// post sends one batch. wait says how long to wait at least before another try;
// it is negative when another try would not help.
func (s *Server) post(ctx context.Context, body []byte, events int) (wait time.Duration, err error) {
	url := strings.TrimRight(s.URL, "/") + "/api/v1/pageviews?wait=applied"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return -1, accepted(answer, events)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return time.Duration(seconds) * time.Second, failed(resp.Status, answer)
	}
	return -1, failed(resp.Status, answer)
}

// accepted checks that the server took every line, as it must: the importer
// judged them by the same rules.
func accepted(answer []byte, events int) error {
	var a struct {
		Accepted int
		Rejected []struct{ Error string }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("the server's answer is not what a collector says: %w", err)
	}
	if len(a.Rejected) > 0 {
		return fmt.Errorf("the server refused %d of %d lines, the first since: %s", len(a.Rejected), events, a.Rejected[0].Error)
	}
	if a.Accepted != events {
		return fmt.Errorf("the server took %d of %d lines", a.Accepted, events)
	}
	return nil
}

func failed(status string, answer []byte) error {
	var p struct{ Title, Detail string }
	if json.Unmarshal(answer, &p) == nil && p.Detail != "" {
		return errors.New(status + ": " + p.Detail)
	}
	return errors.New(status)
}
