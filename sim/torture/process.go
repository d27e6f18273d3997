package torture

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
)

// Process runs the real program over one data directory, as processes of their
// own.
type Process struct {
	Program string    // path of speedlayer
	Args    []string  // before the command, as for a test binary; usually none
	Env     []string  // added to the environment
	Serve   []string  // further flags of serve
	Data    string    // directory
	Output  io.Writer // what instances say on standard error; nil drops it
}

func (p *Process) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.Program, append(append([]string(nil), p.Args...), args...)...)
	cmd.Env = append(os.Environ(), p.Env...)
	return cmd
}

// listening is how serve says where it listens.
var listening = regexp.MustCompile(`dashboard and API on (http://[^ ,]+)`)

// Launch implements System: serve, on free ports.
func (p *Process) Launch() (Instance, error) {
	cmd := p.command(append([]string{"serve", "--data", p.Data, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0"}, p.Serve...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	i := &instance{cmd: cmd, url: make(chan string, 1), done: make(chan struct{})}
	go i.watch(stderr, p.Output)
	return i, nil
}

// instance is one process.
type instance struct {
	cmd  *exec.Cmd
	url  chan string   // holds the url when it is known
	done chan struct{} // closed when the process has ended
	err  error         // of its end; behind done
	last struct {
		sync.Mutex
		line string // that it said last
	}
}

// watch reads what the process says, until it ends.
func (i *instance) watch(stderr io.Reader, output io.Writer) {
	if output == nil {
		output = io.Discard
	}
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := listening.FindSubmatch(lines.Bytes()); m != nil {
			select {
			case i.url <- string(m[1]):
			default:
			}
		}
		i.last.Lock()
		i.last.line = lines.Text()
		i.last.Unlock()
		fmt.Fprintln(output, lines.Text())
	}
	_, _ = io.Copy(io.Discard, stderr) // a line too long must not block it
	i.err = i.cmd.Wait()
	close(i.done)
}

func (i *instance) URL(ctx context.Context) (string, error) {
	select {
	case url := <-i.url:
		i.url <- url
		return url, nil
	case <-i.done:
		return "", i.Ended()
	case <-ctx.Done():
		return "", fmt.Errorf("it does not say where it listens: %w", ctx.Err())
	}
}

// Ended says how it ended.
func (i *instance) Ended() error {
	i.last.Lock()
	defer i.last.Unlock()
	return fmt.Errorf("it ended: %v; it said last: %s", i.err, i.last.line)
}

func (i *instance) Done() <-chan struct{} { return i.done }

func (i *instance) Kill() error {
	select {
	case <-i.done:
		return nil
	default:
	}
	if err := i.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-i.done
	return nil
}

func (i *instance) Stop(ctx context.Context) error {
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-i.done:
		if i.err != nil {
			return i.Ended()
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("it is still running: %w", ctx.Err())
	}
}

// output runs a command to its end. A command that finds something ends with 1,
// and has said on standard output what.
func (p *Process) output(ctx context.Context, finds bool, args ...string) ([]byte, error) {
	cmd := p.command(args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
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
		return nil, fmt.Errorf("%s: %w: %s", args[0], err, said.Bytes())
	}
	return out.Bytes(), nil
}

// Export implements System.
func (p *Process) Export(ctx context.Context, fn func(Line) error) error {
	out, err := p.output(ctx, false, "export", "--data", p.Data, "--format", "jsonl")
	if err != nil {
		return err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l Line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := fn(l); err != nil {
			return err
		}
	}
}

// Verify implements System.
func (p *Process) Verify(ctx context.Context) (differences int64, text string, err error) {
	out, err := p.output(ctx, true, "verify", "--data", p.Data, "--json")
	if err != nil {
		return 0, "", err
	}
	var report struct {
		Differences *int64
		Shards      int
	}
	if err := json.Unmarshal(out, &report); err != nil || report.Differences == nil {
		return 0, "", fmt.Errorf("%q is no report: %w", out, err)
	}
	if report.Shards == 0 {
		return 0, "", fmt.Errorf("nothing was checked: %s", out)
	}
	return *report.Differences, string(out), nil
}
