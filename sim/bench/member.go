package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// member is a processor, a process of the real program. It dies with this one.
type member struct {
	name, url, log string
	site           *site
	cmd            *exec.Cmd
	done           chan struct{} // closed when it has ended
	err            error         // how; behind done
}

func (s *site) startMember(name string) (*member, error) {
	c := s.servers
	listen, err := freePort()
	if err != nil {
		return nil, err
	}
	m := &member{name: name, url: "http://" + listen, site: s, done: make(chan struct{}), log: filepath.Join(c.o.Dir, name+".log")}
	m.cmd = exec.Command(c.o.Program, "serve", "--roles", "processor", "--listen", listen, "--group", s.prefix, "--log-level", "warn",
		"--kafka", strings.Join(c.cluster.Brokers(), ","), "--store", "hbase://"+c.cluster.ZooKeeper()+"/hbase?prefix="+s.prefix,
		"--dedupe-entries", strconv.Itoa(s.settings.DedupeEntries))
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if err := c.spawner.Start(m.cmd); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() { // ends with the process
		m.err = m.cmd.Wait()
		close(m.done)
	}()
	return m, nil
}

func (m *member) running() bool {
	select {
	case <-m.done:
		return false
	default:
		return true
	}
}

// ended says how it ended, with the last that it said.
func (m *member) ended() error {
	text, err := os.ReadFile(m.log)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%s has ended: %v; it said last: %s", m.name, m.err, lines[len(lines)-1])
}

// kill ends it at once, and returns when it is gone.
func (m *member) kill() {
	if m.running() {
		_ = m.cmd.Process.Kill() // it has ended then, which is as good
		<-m.done
	}
}

// stop ends it as a user does.
func (m *member) stop(ctx context.Context) error {
	if !m.running() {
		return m.ended()
	}
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-m.done:
		if m.err != nil {
			return m.ended()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready waits until it says that it is.
func (m *member) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clusterStart)
	defer cancel()
	for {
		body, err := m.get(ctx, "/readyz")
		if err == nil {
			return body.Close()
		}
		select {
		case <-m.done:
			return m.ended()
		case <-time.After(siteLook):
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", m.name, err)
		}
	}
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
