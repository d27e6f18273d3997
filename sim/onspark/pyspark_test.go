package onspark

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/internal/child"
	"speedlayer/internal/devcluster"
	"speedlayer/internal/external"
	"speedlayer/spark"
)

// A program in Python uses the source as it uses any other: what is there is
// processed, the rows tell of it, and the cells are those of the log. Begun again
// without its checkpoint, it finds that nothing is left to do.
func TestClusterPySpark(t *testing.T) {
	cluster := real.Get(t)
	bin := external.PySpark(t)
	ctx := t.Context()
	empty(t, cluster)
	jars, err := devcluster.DefaultJars()
	if err != nil {
		t.Fatal(err)
	}
	jar, err := spark.BuildJar(ctx, jars, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	program := build(t)
	kafka := strings.Join(cluster.Brokers(), ",")
	store := fmt.Sprintf("hbase://%s/hbase?prefix=py%x", cluster.ZooKeeper(), rand.Uint32())
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := child.Output(ctx, exec.Command(name, args...), false)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	run(program, "generate", "--events", "3000", "--seed", "1", "--kafka", kafka)
	python := func() string {
		t.Helper()
		return run(filepath.Join(bin, "python"), filepath.Join("testdata", "query.py"), jar, program, kafka, store, t.TempDir())
	}
	if first := python(); !strings.Contains(first, "records 3000, ") {
		t.Errorf("the program in Python prints %q, want 3000 records", first)
	}
	if again := python(); !strings.Contains(again, "records 0, ") {
		t.Errorf("begun again, it prints %q, want no records", again)
	}
	serve, err := child.Start("serve", exec.Command(program, "serve", "--roles", "collector,query", "--listen", "127.0.0.1:0",
		"--kafka", kafka, "--store", store, "--data", t.TempDir()), nil, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serve.Kill() })
	url, err := serve.URL(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if report := run(program, "verify", "--server", url, "--kafka", kafka, "--json"); !strings.Contains(report, `"records":3000,`) || !strings.Contains(report, `"behind":0,"differences":0`) {
		t.Errorf("verify: %s", report)
	}
}
