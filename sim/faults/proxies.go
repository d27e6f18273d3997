package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	counted "github.com/Shopify/toxiproxy/v2/collectors"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// proxies stand between our processes and the servers, by server's name.
type proxies struct {
	server *toxiproxy.ApiServer // it carries settings only: nothing listens for it
	bytes  *prometheus.Registry // what went through, counted when a connection ends
	mu     sync.Mutex
	all    map[string]*toxiproxy.Proxy
}

func newProxies() *proxies {
	p := &proxies{bytes: prometheus.NewRegistry(), all: make(map[string]*toxiproxy.Proxy)}
	metrics := toxiproxy.NewMetricsContainer(p.bytes)
	metrics.ProxyMetrics = counted.NewProxyMetricCollectors()
	p.bytes.MustRegister(metrics.ProxyMetrics.Collectors()...)
	p.server = toxiproxy.NewServer(metrics, zerolog.Nop())
	return p
}

// add is devcluster.Options.Front.
func (p *proxies) add(name, listen, upstream string) error {
	proxy := toxiproxy.NewProxy(p.server, name, listen, upstream)
	if err := proxy.Start(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[name] = proxy
	return nil
}

// of are the proxies whose names begin with one of the texts.
func (p *proxies) of(prefixes ...string) (found []*toxiproxy.Proxy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, proxy := range p.all {
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, prefix) {
				found = append(found, proxy)
			}
		}
	}
	return found
}

// cut ends all connections, and lets none come about for a while.
func (p *proxies) cut(ctx context.Context, d time.Duration, servers ...string) error {
	all := p.of(servers...)
	for _, proxy := range all {
		proxy.Stop()
	}
	waited := wait(ctx, d)
	var errs []error
	for _, proxy := range all {
		errs = append(errs, proxy.Start())
	}
	return errors.Join(append(errs, waited)...)
}

// Latency of a slow link, and how much it varies, in milliseconds each way.
const slowLatency, slowJitter = 150, 100

// slow delays all that is sent, either way, for a while.
func (p *proxies) slow(ctx context.Context, d time.Duration, servers ...string) error {
	all := p.of(servers...)
	streams := []string{"upstream", "downstream"}
	for _, proxy := range all {
		for _, stream := range streams {
			toxic := fmt.Sprintf(`{"name":%q,"type":"latency","stream":%q,"attributes":{"latency":%d,"jitter":%d}}`,
				stream, stream, slowLatency, slowJitter)
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
				return err
			}
		}
	}
	waited := wait(ctx, d)
	var errs []error
	for _, proxy := range all {
		for _, stream := range streams {
			errs = append(errs, proxy.Toxics.RemoveToxic(context.WithoutCancel(ctx), stream))
		}
	}
	return errors.Join(append(errs, waited)...)
}

// passed is how many bytes went through proxies whose names begin with a text, on
// connections that have ended: that there are some shows that ours go this way.
func (p *proxies) passed(prefix string) (n int64, err error) {
	families, err := p.bytes.Gather()
	if err != nil {
		return 0, err
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "proxy" && strings.HasPrefix(l.GetValue(), prefix) && strings.HasSuffix(f.GetName(), "sent_bytes_total") {
					n += int64(m.GetCounter().GetValue())
				}
			}
		}
	}
	return n, nil
}

// close ends all of them.
func (p *proxies) close() {
	for _, proxy := range p.of("") {
		proxy.Stop()
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
