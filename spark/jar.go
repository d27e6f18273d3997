package spark

import (
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/once"
)

// JarName is the file name of the jar.
const JarName = "speedlayer-spark.jar"

// MainClass is the jar's program for spark-submit.
const MainClass = "speedlayer.spark.Main"

//go:embed pom.xml src/main
var module embed.FS

// BuildJar returns the path of the jar in a folder of jars, and builds it if it is
// not there: Maven compiles the sources that this program has in it, against the
// pinned version of Spark. Other sources are another folder. The error is a
// *devcluster.MissingError without Maven. log gets a line when it builds.
func BuildJar(ctx context.Context, jars string, log io.Writer) (string, error) {
	sum, err := once.Sum(module)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(jars, "speedlayer-spark-"+sum)
	err = once.Folder(ctx, folder, func(temp string) (string, error) {
		fmt.Fprintf(log, "building %s with Maven (once, into %s)\n", JarName, folder)
		return build(ctx, temp)
	})
	return filepath.Join(folder, JarName), err
}

// build has Maven make the jar below the folder temp, and returns a folder that holds
// only the jar.
func build(ctx context.Context, temp string) (string, error) {
	mvn, err := devcluster.FindMaven()
	if err != nil {
		return "", err
	}
	source, done := filepath.Join(temp, "module"), filepath.Join(temp, "done")
	if err := os.CopyFS(source, module); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", filepath.Join(source, "pom.xml"), "package")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: mvn reports: %s (it needs a Java compiler too, as in: apt-get install -y openjdk-17-jdk-headless)", JarName, err, devcluster.LastLines(out, 20))
	}
	if err := os.Mkdir(done, 0o755); err != nil {
		return "", err
	}
	return done, os.Rename(filepath.Join(source, "target", JarName), filepath.Join(done, JarName))
}
