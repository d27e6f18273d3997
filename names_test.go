package speedlayer

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// A thing has one name. oldNames are names that the code once had, each with the name
// that took its place; no identifier and no file contains one as a word.
var oldNames = map[string]string{
	"growth": "delta", "growths": "delta",
	"union": "merge", "unions": "merge", "unite": "merge", "unites": "merge", "united": "merge",
	"among": "shared",
	"sides": "backends",
	"where": "target",
	"crew":  "workers",
	"judge": "classify", "judges": "classify", "judged": "classify",
	"moved": "rerouted, or changed",
	"pace":  "batch size controller",
	"reach": "oldest", "reaches": "oldest",
	"life": "incarnation", "lives": "incarnations",
	"rest": "throttle", "rests": "throttle", "rested": "throttle",
	"patience": "max delay, or timeout",
	"refuse":   "reject", "refuses": "reject", "refused": "rejected", "refusing": "reject", "refusal": "rejection", "refusals": "rejections",
	"leftover": "unreferenced", "leftovers": "unreferenced",
}

// allowedNames are identifiers that contain one of these words in another sense, with
// the folder in which they may stand; "" is every folder.
var allowedNames = map[string]string{
	"rest":    "",          // what remains of an input, as everywhere in Go
	"life":    "sim/crash", // a process from one cut of its power to the next
	"newLife": "sim/crash",
	"Lives":   "sim/crash",
}

// nameRule: each name is today's. Metrics, log fields, flags, topics, columns and JSON
// fields are strings, which keep their names for those who read them.
func nameRule(dir string) (bad []string) {
	seen := make(map[string]bool)
	say := func(name, id, word string) {
		text := fmt.Sprintf("%s: %s: %q is an old name: %s", name, id, word, oldNames[word])
		if !seen[text] {
			seen[text] = true
			bad = append(bad, text)
		}
	}
	errs := goFiles(dir, func(name string, _ []byte, f *ast.File, _ *token.FileSet) {
		for _, w := range words(strings.TrimSuffix(path.Base(name), ".go")) {
			folder, allowed := allowedNames[w]
			if _, old := oldNames[w]; old && !(allowed && folder == path.Dir(name)) {
				say(name, "the file", w)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			if folder, allowed := allowedNames[id.Name]; allowed && (folder == "" || folder == path.Dir(name)) {
				return true
			}
			for _, w := range words(id.Name) {
				if _, old := oldNames[w]; old {
					say(name, id.Name, w)
				}
			}
			return true
		})
	})
	return append(bad, errs...)
}

// words splits an identifier into its words in lower case: HTTPServer_test is http,
// server and test.
func words(id string) (list []string) {
	runes := []rune(id)
	begin := 0
	add := func(end int) {
		if end > begin {
			list = append(list, strings.ToLower(string(runes[begin:end])))
		}
		begin = end
	}
	for i, r := range runes {
		switch {
		case r == '_':
			add(i)
			begin = i + 1
		case unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			add(i)
		}
	}
	add(len(runes))
	return list
}

func TestNames(t *testing.T) { report(t, nameRule) }

func TestWords(t *testing.T) {
	for id, want := range map[string][]string{"HTTPServer_test": {"http", "server", "test"}, "whereFlags": {"where", "flags"}, "elsewhere": {"elsewhere"}, "_": nil} {
		if got := words(id); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
