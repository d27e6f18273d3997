package peers

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

	"github.com/gofrs/flock"
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
	sum, err := hashOf(sources)
	if err != nil {
		return nil, err
	}
	b := &Built{dir: filepath.Join(cache, "speedlayer", "peers-"+sum), java: tools["java"]}
	return b, b.build(ctx, log, tools)
}

// build does nothing if the folder is there. It appears when it is complete.
func (b *Built) build(ctx context.Context, log io.Writer, tools map[string]string) (err error) {
	if err := os.MkdirAll(filepath.Dir(b.dir), 0o755); err != nil {
		return err
	}
	lock := flock.New(b.dir + ".lock")
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if _, err := os.Stat(b.dir); err == nil {
		return nil
	}
	temp, err := os.MkdirTemp(filepath.Dir(b.dir), ".peers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if err := os.CopyFS(temp, sources); err != nil {
		return err
	}
	for _, module := range modules {
		fmt.Fprintf(log, "  building %s\n", module)
		if err := compile(ctx, temp, module, tools); err != nil {
			return fmt.Errorf("building %s: %w", module, err)
		}
	}
	return os.Rename(temp, b.dir)
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

// hashOf names a set of files: another text is another name.
func hashOf(files fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		fmt.Fprintf(h, "%s %d\n", name, len(text))
		h.Write(text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}
