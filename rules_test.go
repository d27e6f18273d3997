package speedlayer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each rule is shown a small module that breaks it, and must say so in the
// words given; and the same module put right, about which it must be silent.
func TestRulesCanFail(t *testing.T) {
	const doc = "// Package x is.\npackage x\n"
	long := doc + strings.Repeat("\n", maxLines)
	for _, c := range []struct {
		name  string
		rule  func(string) []string
		files map[string]string // file -> text
		says  string            // "" when the rule must be silent
	}{
		{"a stage imports one after it", importRules, map[string]string{
			"queue/q.go": "package queue\nimport _ \"speedlayer/view\"\n", "view/v.go": "package view\n"},
			"queue imports view: allowed is [event record]"},
		{"event imports ours", importRules, map[string]string{
			"event/e.go": "package event\nimport _ \"speedlayer/crdt\"\n", "crdt/c.go": "package crdt\n"},
			"event imports crdt: allowed is []"},
		{"cmd imported", importRules, map[string]string{
			"sim/a/a.go": "package a\nimport _ \"speedlayer/cmd/x\"\n", "cmd/x/x.go": "package x\n"},
			"sim/a imports cmd/x"},
		{"oracle shares code", importRules, map[string]string{
			"verify/oracle/o.go": "package oracle\nimport _ \"speedlayer/view\"\n", "view/v.go": "package view\n"},
			"verify/oracle imports view"},
		{"a package that no rule knows", importRules, map[string]string{"helpers/h.go": "package helpers\n"}, "helpers: no rule"},
		{"as it should be", importRules, map[string]string{
			"queue/q.go": "package queue\nimport _ \"speedlayer/event\"\n", "event/e.go": "package event\n",
			"store/pebble/p.go": "package pebble\nimport _ \"speedlayer/store\"\n", "store/s.go": "package store\n"}, ""},
		{"a second hub", hubRule, map[string]string{
			"sim/all/a.go": "package all\nimport (\n_ \"speedlayer/event\"\n_ \"speedlayer/collector\"\n_ \"speedlayer/queue\"\n_ \"speedlayer/microbatch\"\n" +
				"_ \"speedlayer/view\"\n_ \"speedlayer/store\"\n_ \"speedlayer/query\"\n_ \"speedlayer/catalog\"\n_ \"speedlayer/batch\"\n)\n"},
			"sim/all imports every stage"},
		{"view reads files", purityRule, map[string]string{"view/v.go": "package view\nimport _ \"os\"\n"}, "view imports os"},
		{"view reads the clock", purityRule, map[string]string{
			"view/v.go": "package view\nimport \"time\"\nvar x = time.Now()\n"}, "time.Now"},
		{"view is pure", purityRule, map[string]string{"view/v.go": "package view\nimport \"time\"\nvar x = time.Second\n"}, ""},
		{"no package comment", docRule, map[string]string{"x/x.go": "package x\n"}, "no package comment"},
		{"no doc.go", docRule, map[string]string{"x/x.go": doc, "x/y.go": "package x\n"}, "no doc.go"},
		{"one file", docRule, map[string]string{"x/x.go": doc}, ""},
		{"does not load", loadRule, map[string]string{"x/x.go": "package x\nimport _ \"speedlayer/gone\"\n"}, "gone"},
		{"a long file", sizeRule, map[string]string{"x/x.go": long}, "allowed are 500"},
		{"a test may be longer", sizeRule, map[string]string{"x/x_test.go": long}, ""},
		{"init", initRule, map[string]string{"x/x.go": doc + "func init() {}\n"}, "no init"},
		{"a method init", initRule, map[string]string{"x/x.go": doc + "type t int\nfunc (t) init() {}\n"}, ""},
		{"an old name", nameRule, map[string]string{"x/x.go": doc + "var whereFlags int\n"}, `whereFlags: "where" is an old name: target`},
		{"an old name of a file", nameRule, map[string]string{"x/crew.go": doc}, `the file: "crew" is an old name: workers`},
		{"an old word in another sense", nameRule, map[string]string{"sim/crash/life.go": doc + "type life int\n", "x/x.go": doc + "func cut() (rest []byte) { return nil }\n"}, ""},
		{"the same elsewhere", nameRule, map[string]string{"x/life.go": doc + "type life int\n"}, `life: "life" is an old name`},
		{"left for later", textRule, map[string]string{"x/x.md": "a " + "TO" + "DO: more"}, "x.md:1: TO" + "DO"},
		{"a path of one machine", textRule, map[string]string{"x/x.sh": "cd " + "/ro" + "ot/x"}, "a path of one machine"},
		{"links are no paths", textRule, map[string]string{"x/x.md": "see net/wo" + "rk/flow and https://x.org/ho" + "me/a, a/wo" + "rk/b"}, ""},
		{"no doc comment", commentRule, map[string]string{"x/x.go": doc + "func Open() {}\n"}, "Open has no doc comment"},
		{"no doc comment on a const", commentRule, map[string]string{"x/x.go": doc + "const A = 1\n"}, "A has no doc comment"},
		{"doc comments", commentRule, map[string]string{"x/x.go": doc + "// Open opens.\nfunc Open() {}\n\n// Kinds.\nconst (\n\tA = 1\n\tB = 2\n)\n\ntype t int\n\nfunc (t) Do() {}\n"}, ""},
		{"a decision not indexed", adrRule, map[string]string{"docs/adr/0001-a.md": "", "docs/adr/README.md": ""}, "is not in docs/adr/README.md"},
		{"a decision gone", adrRule, map[string]string{"docs/adr/README.md": "[0001](0001-a.md)"}, "which is not there"},
		{"a gap", adrRule, map[string]string{"docs/adr/0002-a.md": "", "docs/adr/README.md": "[0002](0002-a.md)"}, "number 0001 is due"},
		{"a library without a reason", libraryRule, map[string]string{
			"docs/adr/0001-libraries.md": "| `example.org/b` v1.0.0 | |", "go.mod": "module speedlayer\n\ngo 1.26\n\nrequire example.org/a v1.0.0\n",
			"x/x.go": doc + "import _ \"example.org/a/sub\"\n"}, "`example.org/a` v1.0.0"},
		{"a library with one", libraryRule, map[string]string{
			"docs/adr/0001-libraries.md": "| `example.org/a` v1.0.0 | |", "go.mod": "module speedlayer\n\ngo 1.26\n\nrequire example.org/a v1.0.0\n",
			"x/x.go": doc + "import _ \"example.org/a/sub\"\n"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, ok := c.files["go.mod"]; !ok {
				c.files["go.mod"] = "module speedlayer\n\ngo 1.26\n"
			}
			for name, text := range c.files {
				file := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			said := strings.Join(c.rule(dir), "\n")
			if c.says == "" && said != "" || !strings.Contains(said, c.says) {
				t.Errorf("says %q, want %q", said, c.says)
			}
		})
	}
}
