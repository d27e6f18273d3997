package spark

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// The jar is built from the sources in this program, and its parts that need no
// Spark at work pass their own tests.
func TestClusterJar(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Spark: true})
	ctx := t.Context()
	jars, err := devcluster.DefaultJars()
	if err != nil {
		t.Fatal(err)
	}
	jar, err := BuildJar(ctx, jars, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	again, err := BuildJar(ctx, jars, os.Stderr)
	if err != nil || again != jar {
		t.Fatalf("built again: %s, %v; want %s", again, err, jar)
	}
	java, classPath, err := devcluster.Program(ctx, "spark", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	classPath = jar + ":" + classPath
	classes := t.TempDir()
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join("src", "test", "java", "speedlayer", "spark", "SourceTest.java")
	if out, err := exec.CommandContext(ctx, javac, "-d", classes, "-cp", classPath, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.CommandContext(ctx, java, "-cp", classes+":"+classPath, "speedlayer.spark.SourceTest").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
