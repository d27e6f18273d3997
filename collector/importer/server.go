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

	"speedlayer/collector/imports"
	"speedlayer/queue"
)

// Server is a sink in another process.
type Server struct {
	URL    string // of the server: http://127.0.0.1:8080
	Client *http.Client
}

// requestTime bounds one request. The server waits for 30 s until a batch is
// queryable; it may have to look through its log for longer.
const requestTime = 10 * time.Minute

// Known implements Sink.
func (s *Server) Known(ctx context.Context, id string) (known imports.Known, err error) {
	status, header, answer, err := s.call(ctx, http.MethodGet, "/api/v1/imports/"+id, nil)
	if err != nil {
		return known, err
	}
	if status == http.StatusNotFound {
		return known, errors.New("the server takes no imports: it is of an earlier version, or not a collector")
	}
	if status != http.StatusOK {
		_, err := answerError(status, header, answer, 0)
		return known, err
	}
	if err := json.Unmarshal(answer, &known); err != nil {
		return known, fmt.Errorf("the server's answer is not a collector's: %w", err)
	}
	return known, nil
}

// Send implements Sink.
func (s *Server) Send(ctx context.Context, id string, b imports.Batch) (Taken, error) {
	var body bytes.Buffer
	for _, m := range b.Messages {
		if m.Was == "" {
			body.Write(m.Value)
		} else {
			body.Write(m.Value[:len(m.Value)-1]) // an object, up to its brace
			fmt.Fprintf(&body, `,"was":"%s"}`, m.Was)
		}
		body.WriteByte('\n')
	}
	path := fmt.Sprintf("/api/v1/imports/%s?from=%s&to=%s&wait=applied", id, markText(b.From), markText(b.To))
	status, header, answer, err := s.call(ctx, http.MethodPost, path, body.Bytes())
	if err != nil {
		return Taken{}, err
	}
	if status == http.StatusOK || status == http.StatusAccepted {
		taken, err := accepted(answer, len(b.Messages))
		taken.Behind = status == http.StatusAccepted
		return taken, err
	}
	return answerError(status, header, answer, len(b.Messages))
}

func markText(m imports.Mark) string {
	if m.Lines == 0 {
		return "0"
	}
	return fmt.Sprintf("%d:%s", m.Lines, m.Hash)
}

// appliedTime is how long Applied waits.
const appliedTime = 10 * time.Minute

// Applied returns when the records at these positions are queryable.
func (s *Server) Applied(ctx context.Context, positions []queue.Position) error {
	if len(positions) == 0 {
		return nil
	}
	path := "/api/v1/applied?"
	for _, at := range positions {
		path += fmt.Sprintf("&at=%d:%d", at.Partition, at.Offset)
	}
	path = strings.Replace(path, "?&", "?", 1)
	for begin := time.Now(); ; {
		status, header, answer, err := s.call(ctx, http.MethodGet, path, nil)
		var again *Later
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err == nil && status == http.StatusAccepted:
			err = errors.New("the server has not processed it yet; see speedlayer status")
		case err == nil:
			if _, err = answerError(status, header, answer, 0); !errors.As(err, &again) {
				return err
			}
		}
		if time.Since(begin) > appliedTime {
			return fmt.Errorf("everything is in the queue, but not queryable after %v: %w", appliedTime, err)
		}
		if err := sleep(ctx, firstPause*10); err != nil {
			return err
		}
	}
}

// call makes a request. An error of the connection passes.
func (s *Server) call(ctx context.Context, method, path string, body []byte) (status int, _ http.Header, answer []byte, _ error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(s.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err == nil {
		defer resp.Body.Close()
		answer, err = io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return 0, nil, nil, ctx.Err()
		}
		return 0, nil, nil, &Later{Err: err}
	}
	return resp.StatusCode, resp.Header, answer, nil
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
		Accepted, Duplicates int
		Rejected             rejections
		Positions            []queue.Position
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return Taken{}, fmt.Errorf("the server's answer is not a collector's: %w", err)
	}
	if a.Accepted+len(a.Rejected) != events {
		return Taken{}, fmt.Errorf("the server took %d and rejected %d of %d lines", a.Accepted, len(a.Rejected), events)
	}
	rejected, err := a.Rejected.reasons(events)
	return Taken{Rejected: rejected, Duplicates: a.Duplicates, Positions: a.Positions}, err
}

// answerError reads the answer of a server that took nothing.
func answerError(status int, header http.Header, answer []byte, events int) (Taken, error) {
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
