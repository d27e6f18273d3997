package devcluster

import (
	"bufio"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"speedlayer/internal/once"
)

// files are poms, sums and templates of configurations. The sums were made once,
// by sha256sum over what Maven Central served for the pom.
//
//go:embed files
var files embed.FS

// jarSet is a server's jars: files/NAME.pom.xml reports which, files/NAME.sha256
// what is in them, a line each: 64 hex digits, two spaces, the file's name.
type jarSet struct {
	name string
	pom  []byte
	sums []byte
}

func (o Options) jarSets() (sets []jarSet) {
	if o.Kafka {
		sets = append(sets, loadJarSet("kafka"))
	}
	if o.HBase {
		sets = append(sets, loadJarSet("hbase"))
	}
	if o.Spark {
		sets = append(sets, loadJarSet("spark"))
	}
	if o.Cassandra {
		sets = append(sets, loadJarSet("cassandra"))
	}
	return sets
}

func loadJarSet(name string) jarSet {
	return jarSet{name: name, pom: embedded(name + ".pom.xml"), sums: embedded(name + ".sha256")}
}

// embedded is the text of one of files, which are there or it does not build.
func embedded(name string) []byte {
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		panic(err)
	}
	return text
}

// folder is where the set lies in the folder of jars: another pom or other sums
// are another folder, so that two versions of this program can share it.
func (s jarSet) folder(jars string) string {
	h := sha256.New()
	h.Write(s.pom)
	h.Write(s.sums)
	return filepath.Join(jars, s.name+"-"+hex.EncodeToString(h.Sum(nil)[:8]))
}

// get returns the folder with the set's jars, all of them as the sums say. It
// asks Maven for them if they are not there yet; of several processes that want
// them one asks, and the others wait.
func (s jarSet) get(ctx context.Context, o Options) (string, error) {
	folder := s.folder(o.Jars)
	err := once.Folder(ctx, folder, func(temp string) (string, error) {
		fmt.Fprintf(o.Log, "%s: getting jars from Maven (once, into %s)\n", s.name, folder)
		return s.download(ctx, temp)
	})
	if err != nil {
		return "", fmt.Errorf("jars of %s: %w", s.name, err)
	}
	if err := s.verify(folder); err != nil {
		return "", fmt.Errorf("jars of %s: %w; remove the folder to download them again", s.name, err)
	}
	return folder, nil
}

// download has Maven copy the jars into a folder below temp, checks them, and returns
// that folder.
func (s jarSet) download(ctx context.Context, temp string) (string, error) {
	mvn, err := findMaven()
	if err != nil {
		return "", err
	}
	pom, lib := filepath.Join(temp, "pom.xml"), filepath.Join(temp, "lib")
	if err := os.WriteFile(pom, s.pom, 0o600); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", pom, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+lib)
	cmd.Dir = temp
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: mvn reports: %s", err, LastLines(out, 15))
	}
	return lib, s.verify(lib)
}

// verify compares a folder with the sums: every file listed, and no other.
func (s jarSet) verify(folder string) error {
	want, err := s.sumsByName()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		sum, ok := want[e.Name()]
		if !ok {
			return fmt.Errorf("%s is not on the list of sums: refused", filepath.Join(folder, e.Name()))
		}
		got, err := sha256File(filepath.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		if got != sum {
			return fmt.Errorf("%s has SHA-256 %s, and must have %s: refused", filepath.Join(folder, e.Name()), got, sum)
		}
		delete(want, e.Name())
	}
	for name := range want {
		return fmt.Errorf("%s: missing, and %d more", filepath.Join(folder, name), len(want)-1)
	}
	return nil
}

func (s jarSet) sumsByName() (map[string]string, error) {
	sums := make(map[string]string)
	lines := bufio.NewScanner(strings.NewReader(string(s.sums)))
	for lines.Scan() {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || len(sum) != 2*sha256.Size {
			return nil, fmt.Errorf("%s.sha256: %q is not a sum", s.name, lines.Text())
		}
		sums[name] = sum
	}
	return sums, lines.Err()
}

func sha256File(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// LastLines are the last n lines of a text.
func LastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(slices.Clip(lines[max(0, len(lines)-n):]), "\n")
}
