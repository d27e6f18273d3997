package devcluster

import (
	"os/exec"
	"runtime"
)

// Spawner starts processes that die with this one. It has a thread of its own
// that lives until Close: Linux ends a child with the thread that started it, not
// with the process (PR_SET_PDEATHSIG in prctl(2), go.dev/issue/27505), and Go's
// own threads come and go.
type Spawner struct {
	jobs chan func()
}

// NewSpawner starts the thread.
func NewSpawner() *Spawner {
	s := &Spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// Start is cmd.Start, with the process as leader of a group of its own, which
// Ctrl-C does not reach.
func (s *Spawner) Start(cmd *exec.Cmd) error { return s.start(cmd, false) }

func (s *Spawner) start(cmd *exec.Cmd, detach bool) error {
	cmd.SysProcAttr = group(detach)
	err := make(chan error, 1)
	s.jobs <- func() { err <- cmd.Start() }
	return <-err
}

// Close ends the thread, and with it what still runs of what was started.
func (s *Spawner) Close() { close(s.jobs) }
