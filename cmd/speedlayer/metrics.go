package main

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"speedlayer/microbatch"
	"speedlayer/store"
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

	mu struct {
		sync.Mutex
		counts map[int32]store.CommitRecord // of each partition's last commit
	}
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
		Help: "Time to judge and run the records of a micro-batch.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)})
	m.apply = make.NewHistogram(prometheus.HistogramOpts{Name: "speedlayer_batch_apply_seconds",
		Help: "Time until the store had a micro-batch durably.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)})
	m.cells = make.NewCounter(prometheus.CounterOpts{Name: "speedlayer_cells_written_total", Help: "Cells written to the store."})
	m.requests = make.NewCounterVec(prometheus.CounterOpts{Name: "speedlayer_http_requests_total",
		Help: "HTTP requests by handler, method and status."}, []string{"handler", "method", "code"})
	m.seconds = make.NewHistogramVec(prometheus.HistogramOpts{Name: "speedlayer_http_request_seconds",
		Help: "Time to answer HTTP requests.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)}, []string{"handler"})
	m.mu.counts = map[int32]store.CommitRecord{}
	return m
}

// observe takes what a commit says of itself.
func (m *metrics) observe(s microbatch.CommitStats) {
	m.records.Observe(float64(s.Records))
	m.process.Observe(s.Process.Seconds())
	m.apply.Observe(s.Apply.Seconds())
	m.cells.Add(float64(s.Cells))
	m.committed(s.Partition, s.Counts)
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

// watch makes the node's positions and sizes part of each scrape. Counts begin
// with what the commits say, so that they go on where they were before a restart.
func (m *metrics) watch(ctx context.Context, n *node) error {
	for part := range n.epoch.Partitions {
		c, found, err := n.store.Commit(ctx, store.Shard{Epoch: n.epoch.Number, Partition: part})
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		r, err := store.DecodeCommitRecord(c.Record)
		if err != nil {
			return err
		}
		m.committed(part, r)
	}
	m.registry.MustRegister(&nodeCollector{n: n, m: m})
	return nil
}

// committed keeps what the last commit of a partition says.
func (m *metrics) committed(partition int32, r store.CommitRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.counts[partition].Records <= r.Records { // a commit observed meanwhile is newer
		m.mu.counts[partition] = r
	}
}

// nodeCollector asks queue and store at each scrape.
type nodeCollector struct {
	n *node
	m *metrics
}

var (
	lagDesc       = prometheus.NewDesc("speedlayer_lag_records", "Records in the log that are not yet in the views.", []string{"partition"}, nil)
	committedDesc = prometheus.NewDesc("speedlayer_committed_offset", "Offset up to which a partition is committed.", []string{"partition"}, nil)
	recordsDesc   = prometheus.NewDesc("speedlayer_records_total", "Records of the log since its epoch began, by what became of them.", []string{"partition", "result"}, nil)
	dedupeDesc    = prometheus.NewDesc("speedlayer_dedupe_entries", "Pairs (nonce, person) that dedupe remembers.", []string{"partition"}, nil)
	visitsDesc    = prometheus.NewDesc("speedlayer_visits_entries", "Visits remembered.", []string{"partition"}, nil)
	storeDesc     = prometheus.NewDesc("speedlayer_store_bytes", "Size of the store.", []string{"where"}, nil)
	queueDesc     = prometheus.NewDesc("speedlayer_queue_bytes", "Size of the log on disk.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *nodeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagDesc, committedDesc, recordsDesc, dedupeDesc, visitsDesc, storeDesc, queueDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be reached is missing in
// the scrape rather than zero.
func (c *nodeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	committed := c.n.progress.Committed()
	if info, err := c.n.queue.Info(ctx); err == nil {
		for part, end := range info.Ends {
			gauge(lagDesc, max(0, end-committed[part]), strconv.Itoa(part))
		}
	}
	for part, offset := range committed {
		gauge(committedDesc, offset, strconv.Itoa(part))
	}
	if size, err := c.n.queue.Size(ctx); err == nil {
		gauge(queueDesc, size)
	}
	if s, err := c.n.store.Stats(ctx); err == nil {
		gauge(storeDesc, s.DiskBytes, "disk")
		gauge(storeDesc, s.MemoryBytes, "memory")
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for part, r := range c.m.mu.counts {
		label := strconv.Itoa(int(part))
		for result, n := range map[string]int64{"event": r.Events, "duplicate": r.Duplicates, "refused": r.Refused,
			"moved_out": r.MovedOut, "moved_again": r.MovedAgain, "marker": r.Markers + r.MarkersIgnored} {
			ch <- prometheus.MustNewConstMetric(recordsDesc, prometheus.CounterValue, float64(n), label, result)
		}
		gauge(dedupeDesc, r.DedupeEntries, label)
		gauge(visitsDesc, r.VisitEntries, label)
	}
}
