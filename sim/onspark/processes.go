package onspark

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"speedlayer/internal/devcluster"
)

// executor is a running executor of Spark with the Go process beside it.
type executor struct {
	pid    int
	beside int // 0 while it has none
}

// executors are those that the cluster's workers run, by their ids. They are found
// in /proc: they are neither this program's children nor its cluster's.
func (w *world) executors() (all []executor, err error) {
	lines, err := commandLines()
	if err != nil {
		return nil, err
	}
	for pid, args := range lines {
		if !slices.Contains(args, "org.apache.spark.executor.CoarseGrainedExecutorBackend") || !w.ours(args) {
			continue
		}
		e := executor{pid: pid}
		for other, args := range lines {
			if slices.Contains(args, "spark-worker") && parent(other) == pid {
				e.beside = other
			}
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b executor) int { return a.pid - b.pid })
	return all, nil
}

// ours says whether an executor was started by a worker of the cluster.
func (w *world) ours(args []string) bool {
	for i := range devcluster.SparkWorkers {
		port := ":" + strconv.Itoa(w.cfg.Cluster.Port(devcluster.SparkWorker(i+1)))
		if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "spark://Worker@") && strings.HasSuffix(a, port) }) {
			return true
		}
	}
	return false
}

// working picks an executor that has a Go process beside it.
func (w *world) working(which int) (executor, error) {
	all, err := w.executors()
	if err != nil {
		return executor{}, err
	}
	all = slices.DeleteFunc(all, func(e executor) bool { return e.beside == 0 })
	if len(all) == 0 {
		return executor{}, errors.New("no executor has a process beside it")
	}
	return all[which%len(all)], nil
}

// commandLines are those of all processes, by id.
func commandLines() (map[int][]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	all := make(map[int][]string)
	for _, file := range files {
		line, err := os.ReadFile(file)
		pid, err2 := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || err2 != nil {
			continue // gone meanwhile
		}
		var args []string
		for _, a := range bytes.Split(line, []byte{0}) {
			args = append(args, string(a))
		}
		all[pid] = args
	}
	return all, nil
}

// parent is the id of a process's parent; 0 if it is gone.
func parent(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if text, ok := strings.CutPrefix(line, "PPid:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// gone says whether a process has ended.
func gone(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err != nil
}
