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

	"speedlayer/internal/child"
)

// member is a process of the real program that works on a site. It dies with this
// one.
type member struct {
	*child.Process
	name, url string // url is known when it is ready
	site      *site
}

func (s *site) startMember(name, role string) (*member, error) {
	c := s.servers
	cmd := exec.Command(c.o.Program, "serve", "--roles", role, "--listen", "127.0.0.1:0", "--group", s.prefix, "--log-level", "warn",
		"--kafka", strings.Join(c.cluster.Brokers(), ","), "--store", "hbase://"+c.cluster.ZooKeeper()+"/hbase?prefix="+s.prefix,
		"--dedupe-entries", strconv.Itoa(s.settings.DedupeEntries))
	p, err := child.Start(name, cmd, c.o.spawner.Start, nil)
	if err != nil {
		return nil, err
	}
	return &member{Process: p, name: name, site: s}, nil
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
	resp, err := m.site.servers.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: %s", path, resp.Status), resp.Body.Close())
	}
	return resp.Body, nil
}

// metrics are its counters and gauges, by name, summed over labels.
func (m *member) metrics(ctx context.Context) (_ map[string]float64, err error) {
	body, err := m.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	sums := make(map[string]float64)
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			sums[name] += v
		}
	}
	return sums, lines.Err()
}
