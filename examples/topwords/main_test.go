package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/examples/internal/program"
	"speedlayer/examples/internal/words"
)

var bin string // the program

func TestMain(m *testing.M) { os.Exit(program.Main(m, func(built string) { bin = built })) }

// The first three lines of what a map counts, or all if there are fewer.
func TestTop(t *testing.T) {
	book, err := os.ReadFile(words.Text)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a book": string(book), "empty": "", "one": "a\n", "ties": "d c b a c b d a", "NUL": "\x00 \x01 \x00 b\r\n",
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		all := words.Count([]byte(text))
		want := strings.Join(all[:min(3, len(all))], "")
		if out, errs, status := program.Run(t, bin, file); status != 0 || out != want || errs != "" {
			t.Errorf("%s: status %d, prints %q, want %q\n%s", name, status, out, want, errs)
		}
	}
}

// Wrong arguments are reported.
func TestMistakes(t *testing.T) {
	if out, errs, status := program.Run(t, bin); status != 2 || out != "" || !strings.Contains(errs, usage) {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
	if out, errs, status := program.Run(t, bin, "-h"); status != 0 || out != usage || errs != "" {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

// Killed with SIGKILL at any moment, it continues, and each line counts once.
func TestKilled(t *testing.T) {
	file, text := words.Large(t, 20)
	words.Killed(t, bin, 4, file, strings.Join(words.Count(text)[:3], ""))
}

// The README has the diagram of what runs.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	topology, _ := wordTopology()
	if !strings.Contains(string(text), "```mermaid\n"+topology.Mermaid()+"```\n") {
		t.Errorf("README.md does not have\n%s", topology.Mermaid())
	}
}
