package collector

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/sim/load"
)

// BenchmarkPost is acknowledged single-event POSTs from 64 connections over
// TCP: of a handler that answers at once, which is what net/http itself costs,
// and of the collector in front of the real embedded broker. The load generator
// runs on the same machine.
func BenchmarkPost(b *testing.B) {
	b.Run("nothing", func(b *testing.B) {
		benchPost(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write(acceptedOne)
		}))
	})
	b.Run("noqueue", func(b *testing.B) {
		c := New(Config{Queue: noQueue{}})
		benchPost(b, c.Handlers()["/api/v1/pageviews"])
	})
	b.Run("collector", func(b *testing.B) {
		c := New(Config{Queue: startQueue(b)})
		benchPost(b, c.Handlers()["/api/v1/pageviews"])
	})
}

// noQueue says at once that it has a record.
type noQueue struct{}

func (noQueue) Append(_ context.Context, _, _ []byte, done func(queue.Position, error)) {
	done(queue.Position{}, nil)
}

func startQueue(tb testing.TB) *queue.Client {
	tb.Helper()
	broker, err := embedded.Start(embedded.Config{Dir: tb.TempDir(), Trusted: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := broker.Close(); err != nil {
			tb.Error(err)
		}
	})
	q, err := queue.Dial(tb.Context(), queue.Config{Brokers: []string{broker.Addr()}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(q.Close)
	return q
}

func benchPost(b *testing.B, h http.Handler) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/pageviews", h)
	s := &http.Server{Handler: mux}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	b.ResetTimer()
	r, err := load.Run(b.Context(), load.Config{
		Addr: l.Addr().String(), Connections: 64, Requests: int64(b.N),
		Request: load.Pageviews(l.Addr().String(), b.Name(), time.Now().UnixMilli()),
	})
	b.StopTimer()
	if err != nil || r.Status[http.StatusAccepted] != int64(b.N) {
		b.Fatalf("%v answers by status, want %d of 202: %v", r.Status, b.N, err)
	}
	b.ReportMetric(r.Rate(http.StatusAccepted), "acks/s")
	b.ReportMetric(float64(r.Latency.Quantile(0.99).Microseconds()), "p99-us")
	b.ReportMetric(0, "ns/op")
}
