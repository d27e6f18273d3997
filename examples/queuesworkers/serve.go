package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// topic is the queue of pageviews.
const topic = "pageviews"

// system is one way to count, at work in this process. Its counts survive the process.
type system interface {
	// count is the count of a key as it can be queried now.
	count(ctx context.Context, key string) (uint64, error)
	// all is every key with its count.
	all(ctx context.Context) (map[string]uint64, error)
	// settle returns when all that the queue holds now is counted.
	settle(ctx context.Context) error
	close() error
}

// variant is a system with its name in the table.
type variant struct {
	name   string
	source string // the file with the code that only it has
	scale  int    // so many times --events
	run    func(ctx context.Context, brokers []string, dir string) (system, error)
}

var variants = []variant{
	{"queues and workers", "workers.go", 1, runWorkers},
	{"micro-batches of one", "microbatches.go", 10, func(ctx context.Context, brokers []string, dir string) (system, error) {
		return runBatches(ctx, brokers, dir, 1)
	}},
	{"micro-batches", "microbatches.go", 100, func(ctx context.Context, brokers []string, dir string) (system, error) {
		return runBatches(ctx, brokers, dir, 0)
	}},
}

// serve runs a system until the process is ended or killed. It prints where it
// listens, and answers GET /count?key=KEY, GET /settle and GET /all in JSON.
func serve(ctx context.Context, name, brokers, dir string) (err error) {
	var s system
	for _, v := range variants {
		if v.name == name {
			if s, err = v.run(ctx, strings.Split(brokers, ","), dir); err != nil {
				return err
			}
		}
	}
	if s == nil {
		return fmt.Errorf("no system %q", name)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	mux := http.NewServeMux()
	answer := func(path string, get func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			v, err := get(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(v)
		})
	}
	answer("/count", func(r *http.Request) (any, error) { return s.count(r.Context(), r.FormValue("key")) })
	answer("/settle", func(r *http.Request) (any, error) { return "settled", s.settle(r.Context()) })
	answer("/all", func(r *http.Request) (any, error) { return s.all(r.Context()) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	fmt.Printf("speedlayer: %s on http://%s, until its end\n", name, l.Addr()) // for package child
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
