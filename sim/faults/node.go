package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

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

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; behind done
}

func (n *node) start() error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	cmd := exec.Command(n.program, n.args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := n.spawner.Start(cmd); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	done := make(chan struct{})
	n.cmd, n.done, n.err = cmd, done, nil
	go func() { // ends with the process
		n.err = cmd.Wait()
		close(done)
	}()
	return nil
}

func (n *node) running() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// ended says how it ended, with the last that it said.
func (n *node) ended() error {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%s has ended by itself: %v; it said last:\n%s", n.name, n.err, strings.Join(lines[max(0, len(lines)-12):], "\n"))
}

func (n *node) signal(s syscall.Signal) error {
	if !n.running() {
		return n.ended()
	}
	return n.cmd.Process.Signal(s)
}

// kill ends it at once, and returns when it is gone.
func (n *node) kill() {
	if n.running() {
		_ = n.cmd.Process.Kill() // it has ended then, which is as good
		<-n.done
	}
}

// stop ends it as a user does.
func (n *node) stop(ctx context.Context) error {
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-n.done:
		if n.err != nil {
			return n.ended()
		}
		return nil
	case <-ctx.Done():
		n.kill()
		return fmt.Errorf("%s does not stop: %w", n.name, ctx.Err())
	}
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
			"--store", "hbase://" + w.cluster.FrontZooKeeper() + "/hbase", "--snapshot-every", "2s", "--partitions", "4"},
	}
	if w.cfg.Batch {
		n.args = append(n.args, "--batch-dir", filepath.Join(w.cfg.Dir, "batch-"+name), "--archive", filepath.Join(w.cfg.Dir, "archive"),
			"--batch-views", filepath.Join(w.cfg.Dir, "views"), "--batch-lease", runLease.String(), "--query-time", "3s")
	}
	return n, nil
}

// startTime bounds how long a process may take until it takes or answers.
const startTime = 60 * time.Second
