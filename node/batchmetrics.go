package node

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	batchRunDesc = prometheus.NewDesc("speedlayer_batch_run", "Number of the batch run that answers build on; 0 without one.", nil, nil)
	batchAgeDesc = prometheus.NewDesc("speedlayer_batch_age_seconds", "Time since that run began: what came later is in realtime views.", nil, nil)
	exactDesc    = prometheus.NewDesc("speedlayer_accuracy_exact_ratio", "Share of the hours that the last batch run with any absorbed which the speed layer had exactly.", []string{"view"}, nil)
	offDesc      = prometheus.NewDesc("speedlayer_accuracy_off_ratio", "How far off the speed layer was in them, in parts of what is right.", []string{"view"}, nil)
)

func describeBatch(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{batchRunDesc, batchAgeDesc, exactDesc, offDesc} {
		ch <- d
	}
}

// collect tells the metrics of the batch layer; what cannot be read is missing.
func (b *Batch) collect(ctx context.Context, ch chan<- prometheus.Metric) {
	p, err := b.node.store.Pointer(ctx)
	if err != nil {
		return
	}
	set := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if p.Current == nil {
		set(batchRunDesc, 0)
		return
	}
	set(batchRunDesc, float64(p.Current.Number))
	set(batchAgeDesc, time.Since(time.UnixMilli(p.Current.Started)).Seconds())
	a, err := b.Accuracy(ctx)
	if err != nil {
		return
	}
	told := map[string]bool{}
	for _, r := range a.Runs { // a run that absorbed nothing says nothing
		for _, v := range r.Views {
			if v.Cells == 0 || told[v.View] {
				continue
			}
			told[v.View] = true
			set(exactDesc, float64(v.Exact)/float64(v.Cells), v.View)
			set(offDesc, float64(v.Off)/max(1, float64(v.Truth)), v.View)
		}
	}
}
