package collector

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"speedlayer/queue"
)

// value is a counter's or gauge's value, summed over the series whose labels
// contain all of those given as name=value.
func value(t *testing.T, reg *prometheus.Registry, name string, labels ...string) (sum float64, series int) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetName()+"="+l.GetValue() == want
				}
				if !found {
					continue metrics
				}
			}
			series++
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum, series
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	q := &fakeQueue{fail: func(n int, _, _ []byte) error {
		if n == 3 {
			return queue.ErrUnavailable
		}
		return nil
	}}
	c := newTest(q, func(cfg *Config) { cfg.Registerer = reg })
	post(c, "["+one+","+one+",{}]")
	post(c, `{"person":"p","url":"about:blank","ts":1000000000000}`)
	post(c, "no")
	send(c, "POST", "/api/event", `{"n":"pageview","u":"http://foo.com/"}`)
	send(c, "POST", "/api/event", `{"n":"other"}`)
	post(c, one) // 503
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"speedlayer_collector_requests_total", []string{"call=pageviews", "code=202"}, 1},
		{"speedlayer_collector_requests_total", []string{"call=pageviews", "code=400"}, 2},
		{"speedlayer_collector_requests_total", []string{"call=pageviews", "code=503"}, 1},
		{"speedlayer_collector_requests_total", []string{"call=event", "code=202"}, 2},
		{"speedlayer_collector_pageviews_accepted_total", nil, 3},
		{"speedlayer_collector_pageviews_rejected_total", nil, 2},
		{"speedlayer_collector_pageviews_rejected_total", []string{"field=person", "code=missing"}, 1},
		{"speedlayer_collector_pageviews_rejected_total", []string{"field=url", "code=bad_url"}, 1},
		{"speedlayer_collector_events_ignored_total", nil, 1},
		{"speedlayer_collector_append_seconds", nil, 3},
		{"speedlayer_collector_in_flight_bytes", nil, 0},
	} {
		if got, _ := value(t, reg, tc.name, tc.labels...); got != tc.want {
			t.Errorf("%s %v is %v, want %v", tc.name, tc.labels, got, tc.want)
		}
	}
}

// Whatever clients send, labels stay few.
func TestMetricsBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := newTest(&fakeQueue{}, func(cfg *Config) { cfg.Registerer = reg })
	for n := range 500 {
		word := fmt.Sprintf("word-%d\xff", n)
		for _, body := range []string{
			`{"person":"` + word + `","url":"` + word + `","ts":"` + word + `"}`, `{"` + word + `":1}`,
			fmt.Sprintf(`{"person":"p%d","url":"scheme%d://foo"}`, n, n), fmt.Sprintf(`{"person":"p","url":"http://a/","ts":"%d"}`, n),
			`{"person":"p","nonce":"` + strings.Repeat("n", 129+n) + `","url":"http://a/"}`,
		} {
			post(c, body)
			send(c, "POST", "/api/event", body)
		}
	}
	if _, series := value(t, reg, "speedlayer_collector_pageviews_rejected_total"); series == 0 || series > 12 {
		t.Errorf("%d series of rejected pageviews", series)
	}
}
