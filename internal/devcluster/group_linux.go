package devcluster

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// group makes a process the leader of its own group, which Ctrl-C does not reach.
// One that is not detached is killed with the thread that starts it.
func group(detach bool) *syscall.SysProcAttr {
	if detach {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// hasMark reports whether the process's command line has an argument. A zombie has
// none.
func hasMark(pid int, mark string) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	for _, arg := range bytes.Split(line, []byte{0}) {
		if string(arg) == mark {
			return true
		}
	}
	return false
}

// marked lists the processes whose first argument begins with a text: what
// follows it, to the process id.
func marked(prefix string) (map[string]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	found := make(map[string]int)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		args := strings.Split(string(line), "\x00")
		if len(args) < 2 {
			continue
		}
		rest, ok := strings.CutPrefix(args[1], prefix)
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); ok && err == nil {
			found[rest] = pid
		}
	}
	return found, nil
}
