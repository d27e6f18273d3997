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

// What the program prints is what a map counts, whatever the file holds.
func TestCounts(t *testing.T) {
	text, err := os.ReadFile(words.Text)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("word and another ", 400_000) // one line of 6.8 MB
	for name, text := range map[string]string{
		"a book":           string(text),
		"empty":            "",
		"one word":         "word",
		"white space":      " \n\t \r\n\v\f\n\n",
		"no line end":      "b a\na",
		"CRLF":             "a b\r\nb\r\n",
		"bad UTF-8":        "\xff \xfe\xfd a\xc3 \xff\n\x80",
		"NUL and 1":        "a\x00b a\x00b \x00 \x01 \x01\x00 \x00\x01 \x01\x01 a\x01b\n",
		"wide space stays": "a\u00a0b a\u2003b\u0085c",
		"ties":             "b B a A é z \U0001f600 0",
		"long line":        long,
		"long word":        strings.Repeat("x", 1<<20) + " " + strings.Repeat("y", 3<<20) + "\nx",
		"tabs in keys":     "a/b a//b / count/ count/x",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			want := strings.Join(words.Count([]byte(text)), "")
			if out, errs, status := program.Run(t, bin, file); status != 0 || out != want || errs != "" {
				t.Errorf("status %d, prints\n%.200q\nwant\n%.200q\n%s", status, out, want, errs)
			}
		})
	}
}

// Wrong arguments and files are reported, with what is allowed.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, 2, "usage:"},
		{[]string{"a", "b"}, 2, "there are 2 arguments: allowed is one file"},
		{[]string{"--no-such-flag", "a"}, 2, "no-such-flag"},
		{[]string{"--data", "", "a"}, 2, "--data is empty"},
		{[]string{filepath.Join(dir, "missing")}, 1, "no such file"},
		{[]string{dir}, 1, "is a directory"},
		{[]string{"--data", words.Text, words.Text}, 1, "not a directory"},
	} {
		out, errs, status := program.Run(t, bin, c.args...)
		if status != c.status || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%q: status %d, %q, %q", c.args, status, out, errs)
		}
	}
	for _, flag := range []string{"-h", "--help"} {
		if out, errs, status := program.Run(t, bin, flag); status != 0 || errs != "" || out != usage {
			t.Errorf("%s: status %d, %q, %q", flag, status, out, errs)
		}
	}
}

// A file that has grown is gone on with; one that was cut is another file.
func TestGrowingFile(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	text := ""
	for _, more := range []string{"a b\n", "", "b c\nc", "\nd\n"} {
		text += more
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		want := strings.Join(words.Count([]byte(text)), "")
		if out, errs, status := program.Run(t, bin, "--data", data, file); status != 0 || out != want {
			t.Errorf("status %d, prints %q, want %q\n%s", status, out, want, errs)
		}
	}
	if err := os.WriteFile(file, []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := program.Run(t, bin, "--data", data, file); status != 1 || out != "" || !strings.Contains(errs, "another file") {
		t.Errorf("status %d, %q, %q", status, out, errs)
	}
}

// Killed with SIGKILL at any moment, it continues, and each line counts once.
func TestKilled(t *testing.T) {
	file, text := words.Large(t, 20)
	words.Killed(t, bin, 6, file, strings.Join(words.Count(text), ""))
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
