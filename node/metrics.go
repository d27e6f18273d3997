package node

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"speedlayer/microbatch"
)

// scrapeTime bounds what a scrape asks of queue and store.
const scrapeTime = 5 * time.Second

// metrics is what /metrics shows. Nothing is labelled by url or person.
type metrics struct {
	registry *prometheus.Registry

	records prometheus.Histogram // of one commit
	process prometheus.Histogram
	apply   prometheus.Histogram
	cells   prometheus.Counter

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		// Without go_memstats_*: of those, two have names that OpenMetrics takes for one.
		collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled(), collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsMemory)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	make := promauto.With(m.registry)
	m.records = make.NewHistogram(prometheus.HistogramOpts{Name: "speedlayer_batch_records",
		Help: "Records of a micro-batch.", Buckets: prometheus.ExponentialBuckets(1, 4, 10)})
	m.process = make.NewHistogram(prometheus.HistogramOpts{Name: "speedlayer_batch_process_seconds",
		Help: "Time to classify and run the records of a micro-batch.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)})
	m.apply = make.NewHistogram(prometheus.HistogramOpts{Name: "speedlayer_batch_apply_seconds",
		Help: "Time until the store had a micro-batch durably.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)})
	m.cells = make.NewCounter(prometheus.CounterOpts{Name: "speedlayer_cells_written_total", Help: "Cells written to the store."})
	m.requests = make.NewCounterVec(prometheus.CounterOpts{Name: "speedlayer_http_requests_total",
		Help: "HTTP requests by handler, method and status."}, []string{"handler", "method", "code"})
	m.seconds = make.NewHistogramVec(prometheus.HistogramOpts{Name: "speedlayer_http_request_seconds",
		Help: "Time to answer HTTP requests.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)}, []string{"handler"})
	return m
}

// observe takes the counts of a commit.
func (m *metrics) observe(s microbatch.CommitStats) {
	m.records.Observe(float64(s.Records))
	m.process.Observe(s.Process.Seconds())
	m.apply.Observe(s.Apply.Seconds())
	m.cells.Add(float64(s.Cells))
}

// instrument counts and times a handler under its route, which is one of a few.
func (m *metrics) instrument(route string, h http.Handler) http.Handler {
	label := prometheus.Labels{"handler": route}
	return promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(label),
		promhttp.InstrumentHandlerDuration(m.seconds.MustCurryWith(label), h))
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
