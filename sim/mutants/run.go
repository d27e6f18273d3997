package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// testTimeout bounds one mutant's tests; a mutant may well make them hang.
const testTimeout = 2 * time.Minute

// outcome is what came of one mutant.
type outcome struct {
	caughtBy string // the test that failed; empty: it survived
	output   string
	took     time.Duration
	err      error // stale, or does not compile
}

// try runs a mutant's tests on the source with the mutant in it.
func (m *mutant) try(ctx context.Context, root string, verbose bool) (o outcome) {
	begin := time.Now()
	defer func() { o.took = time.Since(begin) }()
	files, err := m.apply(root)
	if err != nil {
		return outcome{err: err}
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return outcome{err: err}
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, root, files)
	if err != nil {
		return outcome{err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout+time.Minute)
	defer cancel()
	args := []string{"test", "-vet=off", "-count=1", "-failfast", "-timeout", testTimeout.String(), "-overlay", overlay, "-run", m.run, "./" + m.pkg}
	if m.pkg == worldsPkg && !verbose {
		args = append(args, "-shrink=false") // that it fails is enough
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	o.output = string(out)
	switch {
	case err == nil:
		if strings.Contains(o.output, "no tests to run") {
			o.err = fmt.Errorf("mutant %s: %s has no test %s", m.name, m.pkg, m.run)
		}
		return o
	case !isExit(err) || strings.Contains(o.output, "[build failed]") || strings.Contains(o.output, "[setup failed]"):
		o.err = fmt.Errorf("mutant %s does not compile: %w\n%s", m.name, err, o.output)
		return o
	}
	o.caughtBy = failedTest(o.output)
	return o
}

func isExit(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit)
}

// writeOverlay writes the changed files beside the source, and the list of them
// that the go command takes.
func writeOverlay(dir, root string, files map[string]string) (string, error) {
	replace := map[string]string{}
	for name, text := range files {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, name)] = path
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}

var failLine = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// failedTest is the innermost test that failed first.
func failedTest(output string) string {
	name := "?"
	for _, found := range failLine.FindAllStringSubmatch(output, -1) {
		if name == "?" || strings.HasPrefix(found[1], name+"/") {
			name = found[1]
		}
	}
	switch {
	case strings.Contains(output, "panic: test timed out"):
		return "time limit"
	case name == "?" && strings.Contains(output, "panic:"):
		return "panic"
	}
	return name
}
