//go:build !linux

package devcluster

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// group makes a process the leader of its own group, which Ctrl-C does not reach.
// Only Linux can have it end with its parent.
func group(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// hasMark reports whether the process's command line has an argument.
func hasMark(pid int, mark string) bool {
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), mark+" ")
}

// marked lists the processes that have an argument that begins with a text: what
// follows it, to the process id.
func marked(prefix string) (map[string]int, error) {
	out, err := exec.Command("ps", "-A", "-ww", "-o", "pid=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("ps: %w", err)
	}
	found := make(map[string]int)
	for _, line := range strings.Split(string(out), "\n") {
		id, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		pid, err := strconv.Atoi(id)
		_, rest, ok := strings.Cut(command, " "+prefix)
		if err == nil && ok {
			rest, _, _ = strings.Cut(rest, " ")
			found[rest] = pid
		}
	}
	return found, nil
}
