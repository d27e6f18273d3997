package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoMutantIsStale: each edit's text stands in its file, exactly once.
func TestNoMutantIsStale(t *testing.T) {
	names := map[string]bool{}
	for i := range mutants {
		m := &mutants[i]
		files, err := m.apply("../..")
		if err != nil {
			t.Error(err)
		}
		for name, text := range files {
			if have, err := os.ReadFile(filepath.Join("../..", name)); err != nil || string(have) == text {
				t.Errorf("%s changes nothing in %s (%v)", m.name, name, err)
			}
		}
		if m.name == "" || m.line == "" || m.what == "" || m.run == "" || names[m.name] {
			t.Errorf("%+v: each mutant has a name of its own, a line, what it does, and a test", m)
		}
		names[m.name] = true
	}
	if len(mutants) < 15 {
		t.Errorf("%d mutants, there must be 15 at least", len(mutants))
	}
}

func TestStaleIsAnError(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.go"), []byte("x x y"), 0o600); err != nil {
		t.Fatal(err)
	}
	for old, want := range map[string]string{"x": "stands 2 times", "z": "stands 0 times", "y": ""} {
		m := mutant{name: "m", edits: []edit{{"a.go", old, "w"}}}
		files, err := m.apply(root)
		switch {
		case want == "" && (err != nil || files["a.go"] != "x x w"):
			t.Errorf("%q: %v, %v", old, files, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: error is %v, want one that says %q", old, err, want)
		}
	}
}

func TestFailedTest(t *testing.T) {
	for output, want := range map[string]string{
		"--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n":     "TestA/b",
		"--- FAIL: TestA (0.1s)\n--- FAIL: TestB (0.1s)\n":           "TestA",
		"panic: test timed out after 2m0s\n--- FAIL: TestA (120.0s)": "time limit",
		"panic: index out of range":                                  "panic",
	} {
		if got := failedTest(output); got != want {
			t.Errorf("%q: %s, want %s", output, got, want)
		}
	}
}
