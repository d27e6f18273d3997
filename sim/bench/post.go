package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"speedlayer/collector"
	"speedlayer/node"
	"speedlayer/sim/load"
)

// postConnections post side by side, each one pageview at a time.
const postConnections = 64

// Post measures acknowledged requests of one pageview each, with the load
// generator in the same process and the processors at work on what comes in.
// The baseline is net/http with a handler that answers and does nothing.
func Post(ctx context.Context, o Options) (results []Result, err error) {
	requests := max(o.Events/25, 10_000)
	nothing, err := postTo(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"accepted":1,"rejected":[]}`))
	}), requests, "nothing")
	if err != nil {
		return nil, err
	}
	dir, err := freshDir(o, "post")
	if err != nil {
		return nil, err
	}
	n, err := node.Open(ctx, node.Config{Data: dir, Partitions: partitions, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	c := collector.New(collector.Config{Queue: n.Queue(), Logger: o.Logger})
	m := startMeter()
	all, err := postTo(ctx, c.Handlers()["/api/v1/pageviews"], requests, "post")
	if err != nil {
		return nil, err
	}
	spent := m.stop()
	r := Result{Name: "post", Value: all.Rate(http.StatusAccepted), Unit: "acknowledged/s",
		What: fmt.Sprintf("%d POSTs of one pageview over %d connections, into the queue, processors at work", requests, postConnections)}
	r.against("net/http that answers and does nothing", nothing.Rate(http.StatusAccepted), "answers/s")
	for _, p := range []float64{0.5, 0.99, 1} {
		r.detail(fmt.Sprintf("answer p%g", 100*p), all.Latency.Quantile(p).Seconds()*1000, "ms")
	}
	r.detail("resident memory, peak", spent.peak, "MiB")
	return []Result{r}, nil
}

// postTo serves h on a port of its own and posts to it.
func postTo(ctx context.Context, h http.Handler, requests int64, run string) (r load.Result, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	addr := l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/api/v1/pageviews", h)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }() // ends with Close
	r, err = load.Run(ctx, load.Config{Addr: addr, Connections: postConnections, Requests: requests,
		Request: load.Pageviews(addr, run, time.Now().UnixMilli())})
	err = errors.Join(err, srv.Close())
	<-done
	if n := r.Status[http.StatusAccepted]; err == nil && n != requests {
		err = fmt.Errorf("%d of %d requests were acknowledged; answers by status: %v", n, requests, r.Status)
	}
	return r, err
}
