package archive_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"speedlayer/batch/archive"
	"speedlayer/internal/devcluster"
	"speedlayer/internal/objects"
)

// Apache's reader, which Spark uses, reads every file of an archive with all columns:
// files just written, merged files, and files of an older version after compaction. It
// refuses files whose footers do not name their columns, which other readers accept.
func TestParquetJavaReads(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: gets jars from Maven, which -short leaves out")
	}
	java, classes, err := devcluster.Program(t.Context(), "parquet", os.Stderr)
	if missing := new(devcluster.MissingError); errors.As(err, &missing) && os.Getenv("CI") != "true" {
		t.Skip("NOT TESTED: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := everything(3)
	a := newArchiver(t, o, l)
	written, err := a.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old, oldObjects := oldArchive(t)
	rewritten, err := newArchiver(t, oldObjects, l).Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	var want strings.Builder
	list := func(dir string, logs []archive.Log) {
		for i := range logs {
			for _, f := range logs[i].Files {
				files = append(files, archive.FileURL(dir, f.Name))
				fmt.Fprintln(&want, f.Rows)
			}
		}
	}
	for dir, m := range map[string]*archive.Manifest{dir: written, old: rewritten} {
		list(dir, m.Shards)
		list(dir, m.Equivs)
	}
	cmd := exec.CommandContext(t.Context(), java, append([]string{"-cp", classes, "testdata/java/ReadAll.java"}, files...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if string(out) != want.String() {
		t.Errorf("of %d files it read rows\n%swant\n%s", len(files), out, want.String())
	}
}
