package faults

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"speedlayer/internal/child"
	"speedlayer/internal/devcluster"
)

// node is one process of speedlayer, at one address through all its lives.
type node struct {
	name    string
	url     string
	program string
	args    []string
	log     string
	spawner *devcluster.Spawner

	*child.Process // nil before the first start
}

func (n *node) start() (err error) {
	n.Process, err = child.StartLogging(n.name, exec.Command(n.program, n.args...), n.spawner.Start, n.log)
	return err
}

func (n *node) running() bool { return n.Process != nil && n.Running() }

// ended describes how it ended.
func (n *node) ended() error {
	if n.Process == nil {
		return fmt.Errorf("%s was not started", n.name)
	}
	return n.Ended()
}

// kill ends it at once, if it runs, and returns when it is gone.
func (n *node) kill() error {
	if !n.running() {
		return nil
	}
	return n.Kill()
}

// stop ends it as a user does; one that does not end is killed.
func (n *node) stop(ctx context.Context) error {
	err := n.Stop(ctx)
	if ctx.Err() != nil {
		return errors.Join(err, n.kill())
	}
	return err
}

// newNode describes a process with a role.
func (w *world) newNode(role string, i int) (*node, error) {
	port, err := devcluster.FreePort()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%d", role, i)
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	n := &node{
		name: name, url: "http://" + listen, program: w.cfg.Program, spawner: w.spawner,
		log: filepath.Join(w.cfg.Dir, name+".log"),
		args: []string{"serve", "--roles", role, "--listen", listen, "--kafka", strings.Join(w.cluster.FrontBrokers(), ","),
			"--store", w.storeURL(), "--snapshot-every", "2s", "--partitions", "4"},
	}
	if w.cfg.Batch {
		n.args = append(n.args, "--batch-dir", filepath.Join(w.cfg.Dir, "batch-"+name), "--archive", filepath.Join(w.cfg.Dir, "archive"),
			"--batch-views", filepath.Join(w.cfg.Dir, "views"), "--batch-lease", runLease.String(), "--query-time", "3s")
	}
	return n, nil
}

// startTime bounds how long a process may take until it takes or answers.
const startTime = 60 * time.Second
