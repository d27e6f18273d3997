// Package words is what the tests of the examples that count words share: a second,
// simple count to compare with, and a program that is killed until it is done.
package words

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"speedlayer/examples/internal/program"
)

// Text is the text of the examples.
const Text = "../testdata/opticks.txt"

// Count counts the words of a text in a map: the lines that wordcount prints.
func Count(text []byte) []string {
	counts := map[string]int{}
	for _, line := range bytes.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) }) {
		counts[string(line)]++
	}
	type entry struct {
		word string
		n    int
	}
	var all []entry
	for w, n := range counts {
		all = append(all, entry{w, n})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(b.n-a.n, strings.Compare(a.word, b.word)) })
	lines := make([]string, len(all))
	for i, e := range all {
		lines[i] = fmt.Sprintf("%d\t%s\n", e.n, e.word)
	}
	return lines
}

// Killed runs a program over a file with data directories of its own, and kills it
// with SIGKILL at random moments, until it was killed a number of times. Whatever
// comes to its end must print what is wanted: one that was killed before, too.
func Killed(t *testing.T, bin string, kills int, file, want string) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	data := t.TempDir()
	begin := time.Now()
	check(t, bin, t.TempDir(), file, want)
	whole := time.Since(begin) // so long takes a run that is not killed
	killed := 0
	for killed < kills {
		cmd := exec.Command(bin, "--data", data, file)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		alarm := time.AfterFunc(time.Duration(random.Int64N(int64(whole))), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		alarm.Stop()
		switch {
		case cmd.ProcessState.ExitCode() < 0:
			killed++
		case err != nil:
			t.Fatalf("after %d kills: %v\n%s", killed, err, errs.String())
		case out.String() != want:
			t.Fatalf("after %d kills: prints\n%.300s\nwant\n%.300s", killed, out.String(), want)
		default: // it was quick: again from the beginning
			data = t.TempDir()
		}
	}
	check(t, bin, data, file, want)
	check(t, bin, data, file, want) // a second time changes nothing
}

func check(t *testing.T, bin, data, file, want string) {
	t.Helper()
	if out, errs, status := program.Run(t, bin, "--data", data, file); status != 0 || out != want {
		t.Fatalf("status %d, prints\n%.300s\nwant\n%.300s\n%s", status, out, want, errs)
	}
}

// Large writes a file that holds a text many times.
func Large(t *testing.T, times int) (file string, text []byte) {
	t.Helper()
	one, err := os.ReadFile(Text)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Repeat(one, times)
	file = filepath.Join(t.TempDir(), "large.txt")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file, text
}
