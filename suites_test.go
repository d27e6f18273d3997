package speedlayer

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSuites holds what scripts/test.sh promises: the quick run starts with no
// argument, and with --rest it runs every suite that --all runs.
func TestSuites(t *testing.T) {
	plan := func(args ...string) []string {
		cmd := exec.Command("scripts/test.sh", args...)
		cmd.Env = append(cmd.Environ(), "DRY_RUN=true")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("scripts/test.sh %q: %v: %s", args, err, out)
		}
		return strings.Fields(string(out))
	}
	quick, all, rest := plan(), plan("--all"), plan("--rest")
	both := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(quick), rest...))))
	slices.Sort(all)
	if !slices.Equal(both, all) {
		t.Errorf("the quick run and --rest run %q, --all runs %q", both, all)
	}
	if len(quick) == 0 || len(rest) == 0 {
		t.Errorf("the quick run has %d suites, --rest %d", len(quick), len(rest))
	}
	if got := plan("crash", "unit"); !slices.Equal(got, []string{"unit", "crash"}) {
		t.Errorf("scripts/test.sh crash unit runs %q", got)
	}
}
