// Package child runs a program as a child process: what it prints last, where it
// listens, how it ends, and its graceful or sudden stop.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lastLines is how much of its output an error about a process shows.
const lastLines = 12

// outputGrace is how long after the program's end its output is read: programs that it
// started may hold it open.
const outputGrace = 2 * time.Second

// Process is a running program. Its goroutines end with the program. Safe for concurrent use.
type Process struct {
	name string
	cmd  *exec.Cmd
	out  io.Writer
	url  chan string   // holds the address when it is known
	done chan struct{} // closed when the program has ended
	err  error         // how; set before done is closed

	mu struct {
		sync.Mutex
		line []byte   // a line that has not ended
		last []string // the last lines
	}
}

// listening is how serve tells where it listens.
var listening = regexp.MustCompile(`^speedlayer: .* on (http://[^ ,]+), `)

// Start starts cmd, by start if that is not nil: a devcluster.Spawner's, whose
// programs die with this one. The name is for errors. All that the program prints
// goes to out, which may be nil.
func Start(name string, cmd *exec.Cmd, start func(*exec.Cmd) error, out io.Writer) (*Process, error) {
	if out == nil {
		out = io.Discard
	}
	if start == nil {
		start = (*exec.Cmd).Start
	}
	p := &Process{name: name, cmd: cmd, out: out, url: make(chan string, 1), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p // the same writer: exec calls it from one goroutine
	cmd.WaitDelay = outputGrace
	if err := start(cmd); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		if errors.Is(p.err, exec.ErrWaitDelay) { // it ended well, and another holds its output open
			p.err = nil
		}
		close(p.done)
	}()
	return p, nil
}

// StartLogging is Start with what the program prints appended to a file.
func StartLogging(name string, cmd *exec.Cmd, start func(*exec.Cmd) error, file string) (*Process, error) {
	log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	p, err := Start(name, cmd, start, log)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() { // ends with the program
		<-p.done
		_ = log.Close()
	}()
	return p, nil
}

// Output runs a command to its end and returns its standard output. A command that
// finds something ends with status 1 after it printed what: with finds that is not
// an error. When ctx ends, the command is killed.
func Output(ctx context.Context, cmd *exec.Cmd, finds bool) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // it has ended then, or does now
	defer stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if finds && errors.As(err, &exit) && exit.ExitCode() == 1 && out.Len() > 0 {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w: %s", cmd.Args[1:], err, errs.Bytes())
	}
	return out.Bytes(), nil
}

// Write takes what the program prints. It is not for callers.
func (p *Process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.line = append(p.mu.line, text...)
	for {
		line, rest, ended := bytes.Cut(p.mu.line, []byte("\n"))
		if !ended {
			break
		}
		p.take(string(line))
		p.mu.line = append(p.mu.line[:0], rest...)
	}
	_, _ = p.out.Write(text) // a log that is full must not stop the program
	return len(text), nil
}

// take notes a line. p.mu is held.
func (p *Process) take(line string) {
	if m := listening.FindStringSubmatch(line); m != nil {
		select {
		case p.url <- m[1]:
		default:
		}
	}
	p.mu.last = append(p.mu.last, line)
	if n := len(p.mu.last) - lastLines; n > 0 {
		p.mu.last = p.mu.last[n:]
	}
}

// URL waits until the program prints where it listens.
func (p *Process) URL(ctx context.Context) (string, error) {
	select {
	case url := <-p.url:
		p.url <- url
		return url, nil
	case <-p.done:
		return "", p.Ended()
	case <-ctx.Done():
		return "", fmt.Errorf("%s does not tell where it listens: %w", p.name, ctx.Err())
	}
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Ended describes how it ended, with the last lines that it printed.
func (p *Process) Ended() error {
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	how := "with status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("%s has ended: %s; it printed last:\n%s", p.name, how, strings.Join(append(p.mu.last, string(p.mu.line)), "\n"))
}

// Signal sends a signal. A process that has ended is an error.
func (p *Process) Signal(s syscall.Signal) error {
	if !p.Running() {
		return p.Ended()
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%s: %v: %w", p.name, s, err)
	}
	return nil
}

// Kill ends it at once, and returns when it is gone. It may have ended before.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// Stop ends it as a user does, and returns an error unless it ended well.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		if p.err != nil {
			return p.Ended()
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not stop: %w", p.name, ctx.Err())
	}
}
