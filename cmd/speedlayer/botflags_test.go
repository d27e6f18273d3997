package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The operator's patterns hold besides the lists; a broken one is a wrong call
// that names the file and the line.
func TestBotPatterns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bots")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# ours\n^AcmeMonitor/\n")
	f := botFlags{what: "drop", patterns: file}
	drop, list, err := f.list()
	if err != nil || !drop || list.Kind([]byte("AcmeMonitor/1")) == "" || list.Kind([]byte("kube-probe/1")) == "" {
		t.Errorf("drop %v, %v", drop, err)
	}
	write("fine\n(broken\n")
	if _, _, err := f.list(); err == nil || !strings.Contains(err.Error(), file+": line 2") || !strings.Contains(err.Error(), "allowed") {
		t.Errorf("a broken pattern: %v", err)
	}
	f.patterns = filepath.Join(t.TempDir(), "missing")
	if _, _, err := f.list(); err == nil || !strings.Contains(err.Error(), "--bot-patterns") {
		t.Errorf("a missing file: %v", err)
	}
}

// The report of an import counts bots by kind.
func TestImportReportsBots(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	lines := ""
	for _, agent := range []string{"kube-probe/1.27", "Envoy/HC", "AcmeMonitor/1", "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"} {
		lines += `203.0.113.80 - - [02/Nov/2026:17:05:00 +0000] "GET / HTTP/1.1" 200 5120 "-" "` + agent + "\"\n"
	}
	patterns := filepath.Join(dir, "bots")
	for name, text := range map[string]string{log: lines, patterns: "^AcmeMonitor/\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := done(t, "import", "--format", "combined", "--host", "site.example", "--bot-patterns", patterns, "--json", "--data", filepath.Join(dir, "data"), log)
	for _, want := range []string{`"pageviews":1`, `"bots_dropped":3`, `{"reason":"health-check","lines":2`, `{"reason":"bot-pattern","lines":1`} {
		if !strings.Contains(out, want) {
			t.Errorf("the report lacks %s: %s", want, out)
		}
	}
}
