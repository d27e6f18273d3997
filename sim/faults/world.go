package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"speedlayer/internal/devcluster"
	"speedlayer/sim/torture"
)

// world is the cluster, our processes in it, and what stands between them.
type world struct {
	cfg     Config
	cluster *devcluster.Cluster
	proxies *proxies
	spawner *devcluster.Spawner
	http    *http.Client

	collectors, processors []*node
	query                  *node        // runs batch runs, too
	reader                 *node        // with a batch layer another one that answers, from batch views that it fetches
	next                   atomic.Int64 // collector that is posted to
}

// How many processes of a role there are: as many as it takes for one to take
// over from another. All cells come from one process, so that nothing hides.
const collectors, processors = 2, 2

// open starts everything.
func open(ctx context.Context, cfg Config) (_ *world, err error) {
	w := &world{cfg: cfg, proxies: newProxies(), spawner: devcluster.NewSpawner(),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}, Timeout: 30 * time.Second}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	servers := cfg.servers()
	servers.Dir, servers.Front = filepath.Join(cfg.Dir, "cluster"), w.proxies.add
	w.cluster, err = devcluster.Start(ctx, servers)
	if err != nil {
		return nil, err
	}
	for i := range collectors {
		n, err := w.newNode("collector", i+1)
		if err != nil {
			return nil, err
		}
		w.collectors = append(w.collectors, n)
	}
	for i := range processors {
		n, err := w.newNode("processor", i+1)
		if err != nil {
			return nil, err
		}
		w.processors = append(w.processors, n)
	}
	if w.query, err = w.newNode("query", 1); err != nil {
		return nil, err
	}
	if w.reader = w.query; cfg.Batch {
		if w.reader, err = w.newNode("query", 2); err != nil {
			return nil, err
		}
	}
	return w, w.startNodes(ctx)
}

func (w *world) nodes() []*node {
	all := append([]*node(nil), w.collectors...)
	all = append(all, w.processors...)
	if w.query != nil {
		all = append(all, w.query)
	}
	if w.reader != nil && w.reader != w.query {
		all = append(all, w.reader)
	}
	return all
}

// startNodes starts all nodes that do not run, and waits until they are ready.
func (w *world) startNodes(ctx context.Context) error {
	for _, n := range w.nodes() {
		if n.running() {
			continue
		}
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range w.nodes() {
		if err := w.ready(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until a node reports that it is.
func (w *world) ready(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		err := w.askReady(ctx, n)
		if err == nil {
			return nil
		}
		select {
		case <-n.Done():
			return n.Ended()
		case <-time.After(poll):
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", n.name, err)
		}
	}
}

func (w *world) askReady(ctx context.Context, n *node) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz: %s", resp.Status)
	}
	return nil
}

// collectorURL is where the next request is posted: one collector after the
// other, so that a client whose collector is gone finds another.
func (w *world) collectorURL() string {
	return w.collectors[w.next.Add(1)%int64(len(w.collectors))].url
}

// poll is the pause between two questions to what is not ready.
const poll = 100 * time.Millisecond

// caughtUp waits until all nodes run and everything in the log is queryable.
func (w *world) caughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Recovery)
	defer cancel()
	for _, n := range []*node{w.query, w.reader} {
		err := torture.Answers(ctx, w.http, n.url, poll)
		if err == nil {
			err = torture.CaughtUp(ctx, w.http, n.url, poll)
		}
		if err != nil {
			return errors.Join(err, w.allRun())
		}
	}
	return w.allRun()
}

// allRun is an error when a node has ended that nobody killed.
func (w *world) allRun() error {
	var errs []error
	for _, n := range w.nodes() {
		if !n.running() {
			errs = append(errs, n.ended())
		}
	}
	return errors.Join(errs...)
}

// members are the names of the processors in the group, as the query node knows
// them.
func (w *world) members(ctx context.Context) (names []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.query.url+"/api/v1/status", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var status struct {
		Info struct {
			Members []struct{ Name string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return nil, err
	}
	for _, m := range status.Info.Members {
		names = append(names, m.Name)
	}
	return names, nil
}

// close ends whatever runs.
func (w *world) close() error {
	var err error
	for _, n := range w.nodes() {
		err = errors.Join(err, n.kill())
	}
	w.spawner.Close()
	if w.cluster != nil {
		err = errors.Join(err, w.cluster.KillAll())
	}
	w.proxies.close()
	w.http.CloseIdleConnections()
	return err
}
