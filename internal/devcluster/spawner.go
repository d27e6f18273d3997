package devcluster

import (
	"os/exec"
	"runtime"
)

// spawner starts processes from one thread that lives as long as it does: Linux
// ends a child with the thread that started it, not with the process (see
// PR_SET_PDEATHSIG in prctl(2), and go.dev/issue/27505), and Go's own threads come and go.
type spawner struct {
	jobs chan func()
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// start is cmd.Start.
func (s *spawner) start(cmd *exec.Cmd) error {
	err := make(chan error, 1)
	s.jobs <- func() { err <- cmd.Start() }
	return <-err
}

// close ends the thread, and with it what was not detached.
func (s *spawner) close() { close(s.jobs) }
