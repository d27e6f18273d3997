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

// Server is a sink that posts to another process's collector, which answers when
// the batch is queryable. What fails for a reason that passes may be posted again:
// every line has its nonce.
type Server struct {
	URL    string // of the server: http://127.0.0.1:8080
	Client *http.Client
}

// requestTime bounds one request. A collector waits for 30 s until a batch is
// queryable, and answers 202 then.
const requestTime = 90 * time.Second

// Send implements Sink. Positions are not known.
func (s *Server) Send(ctx context.Context, messages []queue.Message) (Taken, error) {
	var body bytes.Buffer
	for _, m := range messages {
		body.Write(m.Value)
		body.WriteByte('\n')
	}
	url := strings.TrimRight(s.URL, "/") + "/api/v1/pageviews?wait=applied"
	status, header, answer, err := s.post(ctx, url, body.Bytes())
	if err != nil {
		if ctx.Err() != nil {
			return Taken{}, ctx.Err()
		}
		return Taken{}, &Later{Err: err}
	}
	if status == http.StatusOK || status == http.StatusAccepted {
		taken, err := accepted(answer, len(messages))
		taken.Behind = status == http.StatusAccepted
		return taken, err
	}
	return refused(status, header, answer, len(messages))
}

func (s *Server) post(ctx context.Context, url string, body []byte) (status int, _ http.Header, answer []byte, _ error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return resp.StatusCode, resp.Header, answer, err
}

// rejections are the events that a collector did not take, in the body of any of
// its answers.
type rejections []struct {
	Index int
	Error string
}

func (r rejections) reasons(events int) ([]Rejected, error) {
	out := make([]Rejected, len(r))
	for i, e := range r {
		if e.Index < 0 || e.Index >= events {
			return nil, fmt.Errorf("the server's answer is not a collector's: it rejects event %d of %d", e.Index, events)
		}
		out[i] = Rejected{Index: e.Index, Reason: "the server: " + e.Error}
	}
	return out, nil
}

// accepted reads the answer of a collector that took events.
func accepted(answer []byte, events int) (Taken, error) {
	var a struct {
		Accepted int
		Rejected rejections
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return Taken{}, fmt.Errorf("the server's answer is not a collector's: %w", err)
	}
	if a.Accepted+len(a.Rejected) != events {
		return Taken{}, fmt.Errorf("the server took %d and rejected %d of %d lines", a.Accepted, len(a.Rejected), events)
	}
	rejected, err := a.Rejected.reasons(events)
	return Taken{Rejected: rejected}, err
}

// refused reads the answer of a server that took nothing.
func refused(status int, header http.Header, answer []byte, events int) (Taken, error) {
	var p struct {
		Title, Detail string
		Rejected      rejections
	}
	err := fmt.Errorf("%d %s", status, http.StatusText(status))
	if json.Unmarshal(answer, &p) == nil && p.Detail != "" {
		err = errors.New(err.Error() + ": " + p.Detail)
	}
	switch status {
	case http.StatusRequestEntityTooLarge:
		return Taken{}, fmt.Errorf("%w for the server: %w", ErrTooLarge, err)
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Taken{}, &Later{After: retryAfter(header), Err: err}
	case http.StatusBadRequest:
		if len(p.Rejected) == events { // it read them, and each has its reason
			rejected, err := p.Rejected.reasons(events)
			return Taken{Rejected: rejected}, err
		}
	}
	return Taken{}, err
}

// retryAfter is what a server asks to wait, up to a minute; 0 if it does not.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), time.Minute)
}
