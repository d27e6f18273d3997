package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// group is the process group of one browser.
type group struct {
	profile string
	cmd     *exec.Cmd
}

// lead is called with the command before it starts.
func (g *group) lead(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	g.cmd = cmd
}

// end kills what is left of the group and waits, up to 5 s, until it is gone.
// The group's number is the leader's, and is not used again while one of the
// group lives; an empty group is an error here, and fine.
func (g *group) end() {
	if g.cmd == nil || g.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	// The kernel tells nobody but the parent, so this looks until they are gone.
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until) && len(strays(g.profile)) > 0; {
		time.Sleep(10 * time.Millisecond)
	}
}

// strays lists the processes whose command line names the profile: every
// process of the browser does, or is a child of one that does.
func strays(profile string) []string {
	var left []string
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	for _, dir := range dirs {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !strings.Contains(string(line), profile) {
			continue // gone meanwhile, or another's
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && pid != os.Getpid() {
			left = append(left, filepath.Base(dir)+" "+strings.ReplaceAll(string(line[:min(len(line), 80)]), "\x00", " "))
		}
	}
	return left
}
