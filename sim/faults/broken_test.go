package faults

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// broken is the program with a line in place of another.
type broken struct{ file, old, new string }

// The broken variants, each of which a test of this package must find out.
var (
	// without the check of law 3: events count into cells that have them already
	countsTwice = broken{"view/pageviews.go", "if offset >= s.views.version {", "if true {"}
	// queries read the generations that a run has absorbed, which are kept for a
	// rollback, beside what the run made of them
	readsAbsorbed = broken{"query/read.go", "r.generations = r.generations[first:]", "_ = first"}
	// Cassandra's commit row is durable before its cells
	commitsFirst = broken{"store/cassandra/apply.go", "\tfor _, cells := range sections {",
		"\tif err := s.putShard(ctx, commitKind, b.Shard, b.Commit.Record, b.Commit.Offset); err != nil {\n\t\treturn err\n\t}\n\tfor _, cells := range sections {"}
)

// The variants fit the sources as they are. The tests that run them need real
// servers, and are run seldom.
func TestBrokenVariantsFit(t *testing.T) {
	for _, b := range []broken{countsTwice, readsAbsorbed, commitsFirst} {
		overlay(t, b)
	}
}

// A program that counts wrong is found out: the test can fail.
func TestClusterFaultsAreNoticed(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, HBase: true})
	cfg := Config{Program: build(t, "-overlay", overlay(t, countsTwice)), Dir: dir(t), Seed: 3, Faults: 2, Kinds: []Kind{TearCommit}, Log: os.Stderr}
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d doubled, %d lost; verify: %d differences", r.Doubled, r.Lost, r.Differences)
	if r.OK() || r.Doubled == 0 || r.Differences == 0 {
		t.Errorf("without the version check nothing was found:\n%v", r)
	}
}

// The same with batch runs.
func TestClusterBatchRunsAreNoticed(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, HBase: true})
	cfg := Config{Program: build(t, "-overlay", overlay(t, readsAbsorbed)), Dir: dir(t), Seed: 3, Faults: 1, Kinds: []Kind{KillRun}, Batch: true, Rate: 500, Log: os.Stderr}
	r, err := Run(t.Context(), cfg)
	if !errors.Is(err, errCounted) {
		t.Errorf("with absorbed generations in the answers nothing was found: %v\n%v", err, r)
	}
	t.Log(err)
}

// overlay writes the broken file beside the source, and the list of it that the
// go command takes.
func overlay(t *testing.T, b broken) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, filepath.FromSlash(b.file))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), b.old); n != 1 {
		t.Fatalf("%q stands %d times in %s: the broken variant is stale", b.old, n, b.file)
	}
	dir := t.TempDir()
	changed, list := filepath.Join(dir, "broken.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), b.old, b.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
