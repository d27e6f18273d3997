package spark

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"speedlayer/internal/devcluster"
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
	sum, err := moduleSum()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(jars, "speedlayer-spark-"+sum)
	jar := filepath.Join(folder, JarName)
	if err := os.MkdirAll(jars, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(folder + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer func() { _ = lock.Unlock() }() // the process's end would do it too
	if _, err := os.Stat(jar); !errors.Is(err, fs.ErrNotExist) {
		return jar, err
	}
	fmt.Fprintf(log, "building %s with Maven (once, into %s)\n", JarName, folder)
	return jar, build(ctx, jars, folder)
}

// moduleSum is a sum of all files of the module.
func moduleSum() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(module, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := module.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}

// build makes the folder with the jar in it, at once.
func build(ctx context.Context, jars, folder string) (err error) {
	mvn, err := devcluster.FindMaven()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(jars, ".speedlayer-spark-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	source := filepath.Join(temp, "module")
	if err := os.CopyFS(source, module); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", filepath.Join(source, "pom.xml"), "package")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: mvn reports: %s (it needs a Java compiler too, as in: apt-get install -y openjdk-17-jdk-headless)", JarName, err, tail(out, 20))
	}
	done := filepath.Join(temp, "done")
	if err := os.Mkdir(done, 0o755); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(source, "target", JarName), filepath.Join(done, JarName)); err != nil {
		return err
	}
	return os.Rename(done, folder)
}

// tail is the last n lines of a text.
func tail(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
