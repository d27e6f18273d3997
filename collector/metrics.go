package collector

import (
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"speedlayer/event"
)

// call is one of the calls that metrics tell apart.
type call int

const (
	callPageviews call = iota
	callEvent
	calls
)

var callNames = [calls]string{"pageviews", "event"}

// metrics are looked up by label once, here: no request formats a label.
type metrics struct {
	requests [calls][6]prometheus.Counter // by the first digit of the status
	accepted prometheus.Counter
	rejected *prometheus.CounterVec // by field and code, both of a fixed set
	ignored  prometheus.Counter
	append   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, g *gate) *metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "speedlayer_collector_requests_total",
		Help: "Requests answered, by call and class of status.",
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
		append: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "speedlayer_collector_append_seconds",
			Help:    "Time from a checked request to its durable append.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16), // to 8 s
		}),
	}
	for c := range calls {
		for class := 1; class < len(m.requests[c]); class++ {
			m.requests[c][class] = requests.WithLabelValues(callNames[c], string(rune('0'+class))+"xx")
		}
	}
	if reg != nil {
		reg.MustRegister(requests, m.accepted, m.rejected, m.ignored, m.append,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "speedlayer_collector_in_flight_bytes",
				Help: "Bytes of bodies that are not answered yet.",
			}, func() float64 { return float64(g.bytes()) }))
	}
	return m
}

func (m *metrics) answered(c call, status int) {
	if class := status / 100; class < len(m.requests[c]) {
		m.requests[c][class].Inc()
	}
}

// reject counts a refusal. Field and code come from our own sets, never from
// the request.
func (m *metrics) reject(err error) {
	var r *event.Refusal
	if !errors.As(err, &r) {
		r = &event.Refusal{Code: http.StatusText(http.StatusBadRequest)}
	}
	field := r.Field
	if field == "" {
		field = "event"
	}
	m.rejected.WithLabelValues(field, r.Code).Inc()
}
