package child

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func start(t *testing.T, script string, out *bytes.Buffer) *Process {
	t.Helper()
	p, err := Start("a script", exec.Command("sh", "-c", script), nil, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

// Where it listens is known as soon as it is printed; a stop is graceful.
func TestURLAndStop(t *testing.T) {
	var out bytes.Buffer
	p := start(t, `sleep 600 & trap 'kill $!; exit 0' TERM; echo one; echo 'speedlayer: dashboard and API on http://127.0.0.1:7, data in x' >&2; wait`, &out)
	for range 2 {
		if url, err := p.URL(t.Context()); err != nil || url != "http://127.0.0.1:7" {
			t.Fatal(url, err)
		}
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if p.Running() || !strings.HasPrefix(out.String(), "one\n") {
		t.Errorf("running %v, output %q", p.Running(), out.String())
	}
}

// A program of the program's own that lives on, and holds its output open, does not
// keep the end from being seen.
func TestOutputHeldOpen(t *testing.T) {
	p := start(t, `sleep 600 & echo $!`, &bytes.Buffer{})
	<-p.Done()
	if p.err != nil {
		t.Error(p.err)
	}
	var pid int
	if _, err := fmt.Sscan(p.mu.last[0], &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

// An end that nobody asked for is described with the last lines; so is a signal
// to what has ended.
func TestEnded(t *testing.T) {
	p := start(t, `for i in $(seq 40); do echo line $i; done; printf 'no end'; exit 3`, &bytes.Buffer{})
	<-p.Done()
	for _, err := range []error{p.Ended(), p.Stop(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "line 40\nno end") || strings.Contains(err.Error(), "line 20\n") {
			t.Errorf("%v", err)
		}
	}
	if _, err := p.URL(t.Context()); err == nil {
		t.Error("a process that ended has an address")
	}
	if err := p.Kill(); err != nil {
		t.Errorf("killing what has ended: %v", err)
	}
}

func TestNoProgram(t *testing.T) {
	if _, err := Start("nothing", exec.Command("/nowhere/at/all"), nil, nil); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("%v", err)
	}
}
