package faults

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// unchecked is the program without the check of law 3: events count into cells
// that have them already.
var unchecked = struct{ file, old, new string }{"view/cells.go", "if offset >= s.views.version {", "if true {"}

// A program that counts wrong is found out: the test can fail.
func TestClusterFaultsAreNoticed(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, HBase: true})
	cfg := Config{Program: build(t, "-overlay", overlay(t)), Dir: dir(t), Seed: 3, Faults: 2, Kinds: []Kind{TearCommit}, Log: os.Stderr}
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d doubled, %d lost; verify: %d differences", r.Doubled, r.Lost, r.Differences)
	if r.OK() || r.Doubled == 0 || r.Differences == 0 {
		t.Errorf("without the version check nothing was found:\n%v", r)
	}
}

// overlay writes the broken file beside the source, and the list of it that the
// go command takes.
func overlay(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, filepath.FromSlash(unchecked.file))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), unchecked.old); n != 1 {
		t.Fatalf("%q stands %d times in %s: the broken variant is stale", unchecked.old, n, unchecked.file)
	}
	dir := t.TempDir()
	broken, list := filepath.Join(dir, "broken.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), unchecked.old, unchecked.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: broken}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
