package peers

import (
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"speedlayer/internal/once"
)

//go:embed common flink kstreams spark
var sources embed.FS

// folders of peers; common has what they share.
var modules = []string{"flink", "kstreams", "spark"}

// Built is a folder with the peers' classes and libraries, and the programs that run
// them.
type Built struct {
	dir  string
	java string
}

func (b *Built) folders(module string) (classes, jars string) {
	return filepath.Join(b.dir, module, "classes"), filepath.Join(b.dir, module, "jars")
}

// Build gets the peers' libraries from Maven (520 MB, once) and compiles the peers,
// in a folder of the user's cache that is named after their sources. It needs a Java
// compiler (JDK 17 or later) and Maven. Steps are written to log.
func Build(ctx context.Context, log io.Writer) (*Built, error) {
	tools := make(map[string]string)
	for _, name := range []string{"java", "javac", "mvn"} {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("%s is missing: install it, as with: apt-get install -y openjdk-17-jdk-headless maven", name)
		}
		tools[name] = path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no folder to build peers in: %w", err)
	}
	sum, err := once.Sum(sources)
	if err != nil {
		return nil, err
	}
	b := &Built{dir: filepath.Join(cache, "speedlayer", "peers-"+sum), java: tools["java"]}
	return b, once.Folder(ctx, b.dir, func(temp string) (string, error) { return temp, buildAll(ctx, temp, log, tools) })
}

// buildAll builds all peers in the folder temp.
func buildAll(ctx context.Context, temp string, log io.Writer, tools map[string]string) error {
	if err := os.CopyFS(temp, sources); err != nil {
		return err
	}
	for _, module := range modules {
		fmt.Fprintf(log, "  building %s\n", module)
		if err := compile(ctx, temp, module, tools); err != nil {
			return fmt.Errorf("building %s: %w", module, err)
		}
	}
	return nil
}

func compile(ctx context.Context, dir, module string, tools map[string]string) error {
	folder := filepath.Join(dir, module)
	jars := filepath.Join(folder, "jars")
	err := run(ctx, tools["mvn"], "-q", "-B", "-f", filepath.Join(folder, "pom.xml"), "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+jars)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.java"))
	if err != nil {
		return err
	}
	common, err := filepath.Glob(filepath.Join(dir, "common", "*.java"))
	if err != nil {
		return err
	}
	args := []string{"-nowarn", "-d", filepath.Join(folder, "classes"), "-cp", filepath.Join(jars, "*")}
	return run(ctx, tools["javac"], append(append(args, common...), files...)...)
}

func run(ctx context.Context, program string, args ...string) error {
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return nil
}
