package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"speedlayer/internal/child"
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

// Launch implements System: serve, on free ports.
func (p *Process) Launch() (Instance, error) {
	cmd := p.command(append([]string{"serve", "--data", p.Data, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0"}, p.Serve...)...)
	i, err := child.Start("serve", cmd, nil, p.Output)
	if err != nil {
		return nil, err // not a *child.Process that is nil
	}
	return i, nil
}

// Export implements System.
func (p *Process) Export(ctx context.Context, fn func(Line) error) error {
	out, err := child.Output(ctx, p.command("export", "--data", p.Data, "--format", "jsonl"), false)
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
	out, err := child.Output(ctx, p.command("verify", "--data", p.Data, "--json"), true)
	if err != nil {
		return 0, "", err
	}
	var report struct {
		Differences *int64
		Shards      int
	}
	if err := json.Unmarshal(out, &report); err != nil || report.Differences == nil {
		return 0, "", fmt.Errorf("%q is not a report: %w", out, err)
	}
	if report.Shards == 0 {
		return 0, "", fmt.Errorf("nothing was checked: %s", out)
	}
	return *report.Differences, string(out), nil
}
