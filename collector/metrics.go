package collector

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"speedlayer/event"
)

// call is one of the calls that metrics tell apart.
type call int

const (
	callPageviews call = iota
	callEvent
	callImport
	calls
)

var callNames = [calls]string{"pageviews", "event", "import"}

// statuses are all that the calls are answered with.
var statuses = [...]int{http.StatusOK, http.StatusAccepted, http.StatusBadRequest, http.StatusRequestTimeout,
	http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusConflict, http.StatusTooManyRequests,
	http.StatusNotImplemented, http.StatusServiceUnavailable}

// metrics are looked up by label once, here: no request formats a label.
type metrics struct {
	requests [calls]map[int]prometheus.Counter // by status; read only
	accepted prometheus.Counter
	rejected *prometheus.CounterVec // by field and code, both of a fixed set
	ignored  prometheus.Counter
	bots     *prometheus.CounterVec // by kind, of the lists' set
	append   prometheus.Histogram
	dropped  struct { // what bots counts, for the status
		sync.Mutex
		kinds map[string]int64
	}
}

func newMetrics(reg prometheus.Registerer, g *gate) *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "speedlayer_collector_requests_total",
		Help: "Requests answered, by call and status.",
	}, []string{"call", "code"})
	m := &metrics{
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "speedlayer_collector_pageviews_accepted_total",
			Help: "Pageviews that the queue has durably, duplicates included.",
		}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "speedlayer_collector_pageviews_rejected_total",
			Help: "Pageviews that were not taken, by the field that was wrong and how.",
		}, []string{"field", "code"}),
		ignored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "speedlayer_collector_events_ignored_total",
			Help: "Events of trackers that are no pageviews.",
		}),
		bots: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "speedlayer_collector_bots_dropped_total",
			Help: "Pageviews that were dropped because their user agent is a bot's, by the kind of bot.",
		}, []string{"kind"}),
		append: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "speedlayer_collector_append_seconds",
			Help:    "Time from a checked request to its durable append.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16), // to 8 s
		}),
	}
	m.dropped.kinds = make(map[string]int64)
	for c := range calls {
		m.requests[c] = make(map[int]prometheus.Counter, len(statuses))
		for _, status := range statuses {
			m.requests[c][status] = requests.WithLabelValues(callNames[c], strconv.Itoa(status))
		}
	}
	if reg != nil {
		reg.MustRegister(requests, m.accepted, m.rejected, m.ignored, m.bots, m.append,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "speedlayer_collector_in_flight_bytes",
				Help: "Bytes of bodies that are not answered yet.",
			}, func() float64 { return float64(g.bytes()) }))
	}
	return m
}

func (m *metrics) answered(c call, status int) {
	if n := m.requests[c][status]; n != nil {
		n.Inc()
	}
}

func (m *metrics) drop(d droppedBots) {
	if d.events == 0 {
		return
	}
	m.dropped.Lock()
	defer m.dropped.Unlock()
	for kind, n := range d.kinds {
		m.bots.WithLabelValues(string(kind)).Add(float64(n))
		m.dropped.kinds[string(kind)] += int64(n)
	}
}

func (m *metrics) botsDropped() map[string]int64 {
	m.dropped.Lock()
	defer m.dropped.Unlock()
	return maps.Clone(m.dropped.kinds)
}

// reject counts a rejection. Field and code come from our own sets, never from
// the request.
func (m *metrics) reject(err error) {
	var r *event.Rejection
	if !errors.As(err, &r) {
		r = &event.Rejection{Code: http.StatusText(http.StatusBadRequest)}
	}
	field := r.Field
	if field == "" {
		field = "event"
	}
	m.rejected.WithLabelValues(field, r.Code).Inc()
}
