package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"speedlayer/event"
	"speedlayer/internal/child"
	"speedlayer/queue"
	"speedlayer/record"
)

// Bounds of waiting for a process.
const (
	servedStart = 2 * time.Minute
	servedStop  = time.Minute
	probePause  = 50 * time.Millisecond // after an answer that asks to come again
)

// served is `speedlayer serve`, a process as users run it: HTTP, archive and
// queries are on. It is fed through its queue's port.
type served struct {
	*child.Process
	url  string
	http *http.Client
}

// serve starts the program over a directory and waits until it listens. kafka is
// the address of its queue.
func (o Options) serve(ctx context.Context, dir, kafka string, flags ...string) (*served, error) {
	if o.Program == "" {
		return nil, errors.New("no program to run serve with")
	}
	args := append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--kafka-listen", kafka, "--log-level", "warn", "--bots", "keep"}, flags...)
	p, err := child.StartLogging("serve", exec.Command(o.Program, args...), o.spawner.Start, filepath.Join(o.Dir, "serve.log"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, servedStart)
	defer cancel()
	s := &served{Process: p, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: maxProbes}}}
	if s.url, err = p.URL(ctx); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return s, nil
}

// stop stops it gracefully.
func (s *served) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, servedStop)
	defer cancel()
	s.http.CloseIdleConnections()
	return s.Stop(ctx)
}

// probe posts a pageview for each partition and returns when all are queryable.
// Then so is everything that the log had before.
func (s *served) probe(ctx context.Context) error {
	var body []byte
	for n, part := 0, int32(0); part < partitions; n++ {
		person := fmt.Appendf(nil, "probe-%d", n)
		if record.PartitionOf(person, partitions) != part {
			continue
		}
		part++
		pv := event.Pageview{Person: person, URL: []byte("http://probe.example/"), TS: time.Now().UnixMilli()}
		body = append(event.AppendJSON(body, &pv), '\n')
	}
	return s.post(ctx, body)
}

// post posts pageviews, one a line, until the answer is that they are queryable.
func (s *served) post(ctx context.Context, lines []byte) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/pageviews?wait=applied", bytes.NewReader(lines))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := s.http.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		switch resp.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusAccepted, http.StatusTooManyRequests, http.StatusServiceUnavailable: // not yet
		default:
			return fmt.Errorf("POST to serve: %s: %s", resp.Status, text)
		}
		select {
		case <-time.After(probePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// forgetPeak lets the peak of resident memory begin at what it is now.
func (s *served) forgetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.PID()), []byte("5"), 0) // where there is none, the peak is since the start
}

// peak is the highest resident memory, in MiB.
func (s *served) peak() float64 { return statusMiB(s.PID(), "VmHWM:") }

// freePort is an address that nobody listens on: a node must come back to it.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// fed is a served program with a client of its queue.
type fed struct {
	*served
	client *queue.Client
}

// feedable starts a program over an empty directory.
func feedable(ctx context.Context, o Options, name string, flags ...string) (*fed, error) {
	dir, err := freshDir(o, name)
	if err != nil {
		return nil, err
	}
	kafka, err := freePort()
	if err != nil {
		return nil, err
	}
	s, err := o.serve(ctx, dir, kafka, flags...)
	if err != nil {
		return nil, err
	}
	client, err := queue.Dial(ctx, queue.Config{Brokers: []string{kafka}, Feed: true, Partitions: partitions, Logger: o.Logger})
	if err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	return &fed{s, client}, nil
}

func (f *fed) close(ctx context.Context) error {
	f.client.Close()
	return f.stop(context.WithoutCancel(ctx))
}
