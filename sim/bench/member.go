package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"speedlayer/internal/child"
)

// member is a process of the real program that works on a site. It dies with this
// one.
type member struct {
	*child.Process
	name, url string // url is known when it is ready
	servers   *servers
}

func (s *site) startMember(name, role string) (*member, error) {
	c := s.servers
	return c.startProgram(name, []string{"serve", "--roles", role, "--listen", "127.0.0.1:0", "--group", s.prefix, "--log-level", "warn",
		"--kafka", strings.Join(c.cluster.Brokers(), ","), "--store", c.storeURL(s.prefix),
		"--dedupe-entries", strconv.Itoa(s.settings.DedupeEntries), "--apply-settings"})
}

// storeURL is that of a store in HBase.
func (c *servers) storeURL(prefix string) string {
	return "hbase://" + c.cluster.ZooKeeper() + "/hbase?prefix=" + prefix
}

func (c *servers) startProgram(name string, args []string) (*member, error) {
	p, err := child.Start(name, exec.Command(c.o.Program, args...), c.o.spawner.Start, nil)
	if err != nil {
		return nil, err
	}
	return &member{Process: p, name: name, servers: c}, nil
}

// ready waits until it listens, which it does when it is at work.
func (m *member) ready(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, clusterStart)
	defer cancel()
	m.url, err = m.URL(ctx)
	return err
}

func (m *member) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := m.servers.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: %s", path, resp.Status), resp.Body.Close())
	}
	return resp.Body, nil
}

// metrics are its counters and gauges, by name, summed over labels.
func (m *member) metrics(ctx context.Context) (map[string]float64, error) {
	sums := make(map[string]float64)
	err := m.scrape(ctx, func(name, _ string, v float64) { sums[name] += v })
	return sums, err
}

// labelled are the values of one metric, by the value of a label, summed over the
// other labels.
func (m *member) labelled(ctx context.Context, metric, label string) (map[string]float64, error) {
	sums := make(map[string]float64)
	err := m.scrape(ctx, func(name, labels string, v float64) {
		if _, rest, ok := strings.Cut(labels, label+`="`); ok && name == metric {
			value, _, _ := strings.Cut(rest, `"`)
			sums[value] += v
		}
	})
	return sums, err
}

// scrape calls fn with each sample: its name, its labels as text, and its value.
func (m *member) scrape(ctx context.Context, fn func(name, labels string, v float64)) (err error) {
	body, err := m.get(ctx, "/metrics")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		name, labels, _ := strings.Cut(line[:at], "{")
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			fn(name, labels, v)
		}
	}
	return lines.Err()
}

// sees scrapes until enough says yes, and returns when the last scrape began.
func (m *member) sees(ctx context.Context, enough func(map[string]float64) bool) (at time.Time, err error) {
	for {
		at = time.Now()
		v, err := m.metrics(ctx)
		if err != nil || enough(v) {
			return at, err
		}
		select {
		case <-time.After(siteLook):
		case <-m.Done():
			return at, m.Ended()
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}
