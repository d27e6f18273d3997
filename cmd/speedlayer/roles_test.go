package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
	"speedlayer/query"
	"speedlayer/query/api"
	"speedlayer/queue"
)

// part is one process of a test on real servers.
type part struct {
	t    *testing.T
	args []string
	url  string
	cmd  *exec.Cmd
	out  *sharedLog
}

// startPart starts serve with flags, and returns when it is ready.
func startPart(t *testing.T, flags ...string) *part {
	t.Helper()
	port, err := devcluster.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p := &part{t: t, url: "http://" + address, args: append([]string{"serve", "--listen", address}, flags...)}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *part) start() {
	p.t.Helper()
	p.out = &sharedLog{}
	p.cmd = exec.Command(os.Args[0], p.args...)
	p.cmd.Env = append(os.Environ(), append(programEnv, passwordEnv+"="+devcluster.Password)...)
	p.cmd.Stderr = p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(p.url + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%v is not ready: %s", p.args, p.out)
		}
	}
}

func (p *part) kill() {
	_ = p.cmd.Process.Kill() // may have ended
	_ = p.cmd.Wait()
}

// restart stops it as an upgrade does, and starts it again.
func (p *part) restart() {
	p.t.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("%v: stopped with %v: %s", p.args, err, p.out)
	}
	p.t.Logf("stopped in %v", time.Since(begin).Round(time.Millisecond))
	p.start()
}

// posters post pageviews of a domain to several collectors in turn, and try again
// until one takes it, as clients should.
type posters struct {
	acknowledged atomic.Int64
	slowest      atomic.Int64 // ms until one was taken
	stop         context.CancelFunc
	running      sync.WaitGroup
}

func startPosters(t *testing.T, domain string, collectors ...*part) *posters {
	ctx, stop := context.WithCancel(t.Context())
	p := &posters{stop: stop}
	client := &http.Client{Timeout: 10 * time.Second}
	for c := range 4 {
		p.running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				body, err := json.Marshal(map[string]any{"nonce": fmt.Sprintf("%d-%d", c, n), "person": fmt.Sprintf("person %d", n%500),
					"url": fmt.Sprintf("http://%s/%d", domain, n%50), "ts": time.Now().UnixMilli()})
				if err != nil {
					t.Error(err)
					return
				}
				begin := time.Now()
				for try := c; !taken(client, collectors[try%len(collectors)].url, body); try++ {
					if time.Since(begin) > time.Minute {
						t.Errorf("a pageview was not taken in a minute")
						return
					}
					time.Sleep(50 * time.Millisecond) // as a client's back-off
				}
				p.acknowledged.Add(1)
				if ms := time.Since(begin).Milliseconds(); ms > p.slowest.Load() {
					p.slowest.Store(ms)
				}
			}
		})
	}
	t.Cleanup(func() { p.end() })
	return p
}

func (p *posters) end() int64 {
	p.stop()
	p.running.Wait()
	return p.acknowledged.Load()
}

func taken(client *http.Client, url string, body []byte) bool {
	resp, err := client.Post(url+"/api/v1/pageviews", "application/json", bytes.NewReader(body))
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusAccepted
}

func (p *part) status() (*query.StatusAnswer, error) {
	c, err := api.NewClient(p.url, &http.Client{Timeout: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	return c.Status(p.t.Context())
}

// caughtUp waits until what was appended so far is queryable.
func (p *part) caughtUp(limit time.Duration) time.Duration {
	p.t.Helper()
	begin := time.Now()
	for {
		s, err := p.status()
		if err == nil && s.Covered.Lag != nil && *s.Covered.Lag == 0 {
			return time.Since(begin)
		}
		if time.Since(begin) > limit {
			p.t.Fatalf("not caught up in %v: %+v, %v", limit, s, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *part) views(domain string) uint64 {
	p.t.Helper()
	c, err := api.NewClient(p.url, http.DefaultClient)
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := c.Pageviews(p.t.Context(), query.URLQuery{URL: domain, From: "now-2h", To: "now"})
	if err != nil {
		p.t.Fatal(err)
	}
	return a.Pageviews
}

// Roles in several processes on real Kafka, with TLS and passwords, and real
// HBase: processors share the partitions and take over from one that is killed;
// every process is restarted under load without an error to a client that tries
// again; partitions are added while all are at work; and nothing is lost or
// counted twice.
func TestClusterRoles(t *testing.T) {
	c := clustertest.Start(t, devcluster.Options{Kafka: true, HBase: true, SASL: true})
	prefix := fmt.Sprintf("roles%d", time.Now().UnixNano())
	to := func(mechanism string) []string {
		return []string{"--kafka", strings.Join(c.SASLBrokers(), ","), "--tls-ca", c.Authority(), "--sasl", mechanism, "--sasl-user", devcluster.User,
			"--store", "hbase://" + c.ZooKeeper() + "/hbase?prefix=" + prefix, "--group", prefix, "--data", filepath.Join(t.TempDir(), "unused")}
	}
	wrongPasswords(t, c, to)
	freshTopics(t, c)
	p1 := startPart(t, append(to("scram-sha-512"), "--roles", "processor")...)
	p2 := startPart(t, append(to("plain"), "--roles", "processor")...)
	c1 := startPart(t, append(to("scram-sha-256"), "--roles", "collector")...)
	c2 := startPart(t, append(to("scram-sha-512"), "--roles", "collector", "--drain-time", "300ms")...)
	q := startPart(t, append(to("scram-sha-512"), "--roles", "query")...)

	load := startPosters(t, "roles.example", c1, c2)
	eventually(t, "nothing is taken", func() bool { return load.acknowledged.Load() > 500 })
	for _, p := range []*part{c1, p1, c2, p2, q} {
		p.restart()
	}
	before := load.acknowledged.Load()
	p2.kill()
	killed := time.Now()
	eventually(t, "nobody takes over", func() bool {
		s, err := q.status()
		return err == nil && s.Covered.Lag != nil && *s.Covered.Lag < 500 && s.Covered.AgeSeconds != nil && *s.Covered.AgeSeconds < 2 && time.Since(killed) > 4*time.Second
	})
	t.Logf("lag was back to normal %v after kill -9 of a processor", time.Since(killed).Round(100*time.Millisecond))
	p2.start()
	eventually(t, "nothing is taken any more", func() bool { return load.acknowledged.Load() > before+500 })
	posted := load.end()
	// Where the log ends is known as of a moment ago, so lag proves nothing here.
	eventually(t, "what was acknowledged is not counted", func() bool { return q.views("roles.example") >= uint64(posted) })
	if got := q.views("roles.example"); got != uint64(posted) {
		t.Errorf("%d pageviews are counted, %d were acknowledged", got, posted)
	}
	t.Logf("%d pageviews; the slowest was taken after %d ms", posted, load.slowest.Load())
	if status, out, errs := verifyPart(t, q, to("plain")); status != exitDone {
		t.Errorf("verify: %s%s", out, errs)
	}

	admin, err := queue.Connect(t.Context(), queue.Config{Brokers: c.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	load = startPosters(t, "more.example", c1, c2)
	if err := admin.AddPartitions(t.Context(), 12); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no new log epoch", func() bool {
		s, err := q.status()
		return err == nil && len(s.Epochs) == 3 && s.Epochs[2].Partitions == 12
	})
	load.end()
	q.caughtUp(time.Minute)
	status, out, errs := verifyPart(t, q, to("plain"))
	if status != exitDone {
		t.Errorf("verify: %s%s", out, errs)
	}
	t.Log(out)
}

func verifyPart(t *testing.T, q *part, flags []string) (status int, out, errs string) {
	t.Helper()
	t.Setenv(passwordEnv, devcluster.Password)
	return runProgram(t, append([]string{"verify", "--server", q.url}, flags[:8]...)...)
}

// freshTopics takes the topics of an earlier test away: this one needs 8
// partitions.
func freshTopics(t *testing.T, c *devcluster.Cluster) {
	t.Helper()
	q, err := queue.Connect(t.Context(), queue.Config{Brokers: c.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.DeleteTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wrongPasswords: within 15 seconds the process reports which flag to change.
func wrongPasswords(t *testing.T, c *devcluster.Cluster, to func(string) []string) {
	t.Helper()
	wrong, right := writeFile(t, "password", []byte("wrong")), writeFile(t, "password", []byte(devcluster.Password))
	guest := append(to("plain"), "--sasl-user", devcluster.Guest, "--sasl-password-file", right)
	brokers := strings.Join(c.SASLBrokers(), ",")
	for _, args := range []struct {
		flags []string
		want  string
	}{
		{append(to("scram-sha-512"), "--sasl-password-file", wrong), "--sasl-password-file"},
		{append(to("plain"), "--sasl-password-file", wrong), "--sasl-password-file"},
		{guest, "pageviews: DESCRIBE"}, {guest, "--sasl-user"},
		{[]string{"--kafka", brokers, "--data", t.TempDir()}, "--tls"},
		{[]string{"--kafka", brokers, "--tls", "--data", t.TempDir()}, "--tls-ca"},
		{[]string{"--kafka", brokers, "--tls-ca", c.Authority(), "--data", t.TempDir()}, "--sasl"},
		{[]string{"--kafka", strings.Join(c.Brokers(), ","), "--tls-ca", c.Authority(), "--data", t.TempDir()}, "--tls"},
	} {
		begin := time.Now()
		status, _, errs := runProgram(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args.flags...)...)
		if status != exitFailed || !strings.Contains(errs, args.want) || time.Since(begin) > 15*time.Second {
			t.Errorf("%v: exit %d after %v, %q: want %q", args.flags, status, time.Since(begin), errs, args.want)
		}
	}
}

// sharedLog is a log's buffer for many goroutines.
type sharedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// eventually waits for a condition that others bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}
