package spark

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// The sources in this program are whole: the classes that Spark and spark-submit look
// for by name are among them, and the version of Spark is the one of dev-cluster.
func TestModule(t *testing.T) {
	services, err := module.ReadFile("src/main/resources/META-INF/services/org.apache.spark.sql.sources.DataSourceRegister")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{strings.TrimSpace(string(services)), MainClass} {
		if _, err := module.ReadFile("src/main/java/" + strings.ReplaceAll(class, ".", "/") + ".java"); err != nil {
			t.Errorf("class %s: %v", class, err)
		}
	}
	ours, err := module.ReadFile("pom.xml")
	if err != nil {
		t.Fatal(err)
	}
	servers, err := os.ReadFile("../internal/devcluster/files/spark.pom.xml")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`<artifactId>spark-sql_2\.13</artifactId>\s*<version>([^<]+)</version>`)
	a, b := version.FindSubmatch(ours), version.FindSubmatch(servers)
	if a == nil || b == nil || string(a[1]) != string(b[1]) {
		t.Errorf("the jar is built against Spark %q, dev-cluster starts %q", a, b)
	}
}

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
