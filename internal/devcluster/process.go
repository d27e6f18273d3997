package devcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll and endPoll are how often a lock and the end of a process are looked
// for: the kernel tells neither.
const (
	lockPoll = 100 * time.Millisecond
	endPoll  = 20 * time.Millisecond
)

// process is one server. It may have been started by another program: then all
// that is known of it is its id.
type process struct {
	name string
	args []string // of java
	log  string   // file
	env  []string // of it alone, besides this program's
	mark string   // stands in its command line, and in that of no other
	pid  int      // 0 when it was never started
}

// start runs it, as leader of a process group of its own.
func (p *process) start(java string, detach bool, spawner *Spawner) error {
	if err := os.MkdirAll(filepath.Dir(p.log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	cmd := exec.Command(java, append([]string{p.mark}, p.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(p.log)
	cmd.Env = append(os.Environ(), p.env...)
	if err := spawner.start(cmd, detach); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.pid = cmd.Process.Pid
	go func() { _ = cmd.Wait() }() // so that it is not a zombie; it ends with the process
	return nil
}

// running reports whether it runs. A process of another program that has got its id
// meanwhile is not it.
func (p *process) running() bool { return p.pid != 0 && hasMark(p.pid, p.mark) }

// signal sends a signal to its group; to one that has ended it does nothing.
func (p *process) signal(s syscall.Signal) error {
	if !p.running() {
		return nil
	}
	if err := syscall.Kill(-p.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%s, process %d: %w", p.name, p.pid, err)
	}
	return nil
}

// ended waits until it does not run any more.
func (p *process) ended(ctx context.Context) error {
	return until(ctx, endPoll, func() error {
		if p.running() {
			return fmt.Errorf("%s, process %d, still runs", p.name, p.pid)
		}
		return nil
	})
}

// kill ends it at once: kill -9.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.ended(ctx)
}

// stop asks it to end, and kills it if it has not ended within the timeout.
func (p *process) stop(ctx context.Context, timeout time.Duration) error {
	if err := errors.Join(p.signal(syscall.SIGCONT), p.signal(syscall.SIGTERM)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if p.ended(ctx) == nil {
		return nil
	}
	return p.kill()
}

// final is an error that waiting does not mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// until calls fn every so often until it returns nil or a final error; when the
// context ends, it returns the last error of fn.
func until(ctx context.Context, every time.Duration, fn func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := fn()
		var f final
		if err == nil || errors.As(err, &f) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}
