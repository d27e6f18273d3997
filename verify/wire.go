package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"speedlayer/internal/problem"
)

// The stream of GET /api/v1/cells, JSON lines (application/x-ndjson):
//
//	a Head, with the address of the log
//	a Cell for each cell, by (generation, view, url, hour, shard)
//	{"end":true,"cells":N}, or {"end":true,"error":"..."}
//
// A stream without its last line was cut off.

// CellsPath is where CellsHandler is served.
const CellsPath = "/api/v1/cells"

type streamEnd struct {
	End     bool   `json:"end"`
	Cells   int64  `json:"cells"`
	Changed bool   `json:"moved,omitempty"` // read again
	Error   string `json:"error,omitempty"`
}

// streamLine is a cell or the end.
type streamLine struct {
	Cell
	streamEnd
}

// writePause is how long a client may take none of the stream before it is
// dropped, since it holds a snapshot of the store.
const writePause = 30 * time.Second

// CellsHandler streams what the store holds. kafka is the address of the log,
// as it is told to the client.
func CellsHandler(from Source, kafka string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := bufio.NewWriterSize(slowWriter{w, http.NewResponseController(w)}, 64<<10)
		enc := json.NewEncoder(out)
		begun, n := false, int64(0)
		head := func(h *Head) error {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
			begun = true
			h.Kafka = kafka
			return enc.Encode(h)
		}
		err := walk(r.Context(), from, head, func(c *Cell) error { n++; return enc.Encode(c) })
		if err != nil && !begun {
			problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, Detail: "the store cannot be read: " + err.Error(), RetryAfter: 1})
			return
		}
		end := streamEnd{End: true, Cells: n}
		if err != nil {
			end.Changed, end.Error = errors.Is(err, errChanged), err.Error()
		}
		// Whom the last lines do not reach knows it: the end is missing.
		_ = enc.Encode(end)
		_ = out.Flush()
	})
}

// slowWriter gives each write a deadline of its own.
type slowWriter struct {
	w  io.Writer
	rc *http.ResponseController
}

func (s slowWriter) Write(b []byte) (int, error) {
	err := s.rc.SetWriteDeadline(time.Now().Add(writePause))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.w.Write(b)
}

// FromServer returns how to read the cells of a server, whose URL has no path.
func FromServer(client *http.Client, server string) func(context.Context) (*Snapshot, error) {
	return func(ctx context.Context) (*Snapshot, error) {
		return again(ctx, func() (*Snapshot, error) { return fetch(ctx, client, server+CellsPath) })
	}
}

func fetch(ctx context.Context, client *http.Client, url string) (*Snapshot, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var p problem.Details
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&p) // without details, the status says it
		return nil, fmt.Errorf("%s answers %s %s", url, resp.Status, p.Detail)
	}
	s, err := parse(resp.Body)
	if err != nil {
		err = fmt.Errorf("%s: %w", url, err)
	}
	return s, err
}

// parse reads a whole stream.
func parse(in io.Reader) (*Snapshot, error) {
	dec := json.NewDecoder(bufio.NewReaderSize(in, 64<<10))
	s := &Snapshot{}
	if err := dec.Decode(&s.Head); err != nil {
		return nil, fmt.Errorf("first line: %w", err)
	}
	if s.Format != 1 {
		return nil, fmt.Errorf("format %d: this program reads 1", s.Format)
	}
	for n := int64(0); ; n++ {
		var line streamLine
		if err := dec.Decode(&line); err != nil {
			return nil, fmt.Errorf("cut off after %d cells: %w", n, err)
		}
		switch {
		case line.Changed:
			return nil, errChanged
		case line.Error != "":
			return nil, errors.New(line.Error)
		case line.End && line.Cells != n:
			return nil, fmt.Errorf("%d cells where %d were sent", n, line.Cells)
		case line.End:
			return s, nil
		}
		if err := s.add(&line.Cell); err != nil {
			return nil, err
		}
	}
}
