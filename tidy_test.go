package speedlayer

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	maxLines     = 500
	maxTestLines = 700
)

// files calls fn for each of our files that people read: no test data, nothing
// hidden but the CI script, nothing vendored.
func files(dir string, fn func(name string, text []byte)) error {
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			hidden := strings.HasPrefix(base, ".") && name != "." && base != ".ci"
			if hidden || base == "testdata" || base == "vendor" || base == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if name == ".git" {
			return nil // of a second work tree: where the first one is
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		fn(name, text)
		return nil
	})
}

// goFiles calls fn for each Go file, parsed.
func goFiles(dir string, fn func(name string, text []byte, f *ast.File, set *token.FileSet)) (bad []string) {
	err := files(dir, func(name string, text []byte) {
		if path.Ext(name) != ".go" {
			return
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, text, parser.ParseComments)
		if err != nil {
			bad = append(bad, err.Error())
			return
		}
		fn(name, text, f, set)
	})
	if err != nil {
		bad = append(bad, err.Error())
	}
	return bad
}

func sizeRule(dir string) (bad []string) {
	errs := goFiles(dir, func(name string, text []byte, f *ast.File, _ *token.FileSet) {
		limit := maxLines
		if strings.HasSuffix(name, "_test.go") {
			limit = maxTestLines
		}
		if n := bytes.Count(text, []byte("\n")); n > limit && !ast.IsGenerated(f) {
			bad = append(bad, fmt.Sprintf("%s has %d lines: allowed are %d", name, n, limit))
		}
	})
	return append(bad, errs...)
}

// initRule: nothing runs before main but what a reader of main sees.
func initRule(dir string) (bad []string) {
	errs := goFiles(dir, func(name string, _ []byte, f *ast.File, set *token.FileSet) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				bad = append(bad, fmt.Sprintf("%v: no init functions", set.Position(fn.Pos())))
			}
		}
	})
	return append(bad, errs...)
}

// unfinished and elsewhere are written so that this file does not match itself.
var (
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	elsewhere  = regexp.MustCompile(`(^|[^\w.])/(work|ro` + `ot|ho` + `me)/\w|\.\./sha` + `red/|\.\./\.libr` + `ary`)
)

// textRule: nothing is left for later without a place in ROADMAP.md, and
// nothing points into the machine where it was written.
func textRule(dir string) (bad []string) {
	err := files(dir, func(name string, text []byte) {
		if bytes.IndexByte(text, 0) >= 0 {
			return
		}
		for i, line := range strings.Split(string(text), "\n") {
			if len(line) > 5000 {
				continue // a minified library
			}
			if m := unfinished.FindString(line); m != "" {
				bad = append(bad, fmt.Sprintf("%s:%d: %s", name, i+1, m))
			}
			if m := elsewhere.FindString(line); m != "" {
				bad = append(bad, fmt.Sprintf("%s:%d: a path of one machine: %s", name, i+1, strings.TrimSpace(m)))
			}
		}
	})
	if err != nil {
		bad = append(bad, err.Error())
	}
	return bad
}

// commentRule: each exported identifier has a doc comment; in a group, the
// group's will do, or one at the end of the line.
func commentRule(dir string) (bad []string) {
	errs := goFiles(dir, func(name string, _ []byte, f *ast.File, set *token.FileSet) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		say := func(id *ast.Ident) {
			bad = append(bad, fmt.Sprintf("%v: %s has no doc comment", set.Position(id.Pos()), id.Name))
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !obvious[d.Name.Name] {
					say(d.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if id := undocumented(d, s); id != nil {
						say(id)
					}
				}
			}
		}
	})
	return append(bad, errs...)
}

// obvious methods are those of interfaces that every reader of Go knows.
var obvious = map[string]bool{"String": true, "Error": true, "Unwrap": true, "Len": true, "Less": true, "Swap": true, "Close": true, "ServeHTTP": true}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

// undocumented returns the exported name of a declaration without a comment.
func undocumented(d *ast.GenDecl, s ast.Spec) *ast.Ident {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
			return s.Name
		}
	case *ast.ValueSpec:
		if s.Doc != nil || s.Comment != nil || d.Doc != nil {
			return nil
		}
		for _, id := range s.Names {
			if id.IsExported() {
				return id
			}
		}
	}
	return nil
}

var adrName = regexp.MustCompile(`^(\d{4})-[a-z0-9-]+\.md$`)

// adrRule: decisions are numbered without gaps, and the index has each.
func adrRule(dir string) (bad []string) {
	adrs := filepath.Join(dir, "docs", "adr")
	entries, err := os.ReadDir(adrs)
	if err != nil {
		return []string{err.Error()}
	}
	index, err := os.ReadFile(filepath.Join(adrs, "README.md"))
	if err != nil {
		return []string{err.Error()}
	}
	n := 0
	for _, e := range entries {
		if e.Name() == "README.md" {
			continue
		}
		m := adrName.FindStringSubmatch(e.Name())
		if m == nil {
			bad = append(bad, e.Name()+": a decision's name is NNNN-few-words.md")
			continue
		}
		if n++; m[1] != fmt.Sprintf("%04d", n) {
			bad = append(bad, fmt.Sprintf("%s: number %04d is due", e.Name(), n))
		}
		if !bytes.Contains(index, []byte("["+m[1]+"]("+e.Name()+")")) {
			bad = append(bad, e.Name()+" is not in docs/adr/README.md")
		}
	}
	for _, m := range regexp.MustCompile(`\]\((\d{4}-[^)]*)\)`).FindAllSubmatch(index, -1) {
		if _, err := os.Stat(filepath.Join(adrs, string(m[1]))); err != nil {
			bad = append(bad, "docs/adr/README.md names "+string(m[1])+", which is not there")
		}
	}
	return bad
}

// libraryRule: each module that our packages or their tests import stands in the
// decision on libraries, with the version that go.mod has.
func libraryRule(dir string) (bad []string) {
	text, err := os.ReadFile(filepath.Join(dir, "docs", "adr", "0001-libraries.md"))
	if err != nil {
		return []string{err.Error()}
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return []string{err.Error()}
	}
	all, err := packages(dir)
	if err != nil {
		return []string{err.Error()}
	}
	imported := make(map[string]bool)
	for i := range all {
		for _, list := range [][]string{all[i].Imports, all[i].TestImports, all[i].XTestImports} {
			for _, name := range list {
				imported[name] = true
			}
		}
	}
	required := regexp.MustCompile(`(?m)^(?:require)?\s+(\S+\.\S+/\S+) (v\S+)`).FindAllStringSubmatch(string(mod), -1)
	used := func(mod string) bool {
		for name := range imported {
			if moduleOf(name, required) == mod {
				return true
			}
		}
		return false
	}
	for _, m := range required {
		if used(m[1]) && !bytes.Contains(text, []byte("`"+m[1]+"` "+m[2])) {
			bad = append(bad, fmt.Sprintf("docs/adr/0001-libraries.md does not say why `%s` %s", m[1], m[2]))
		}
	}
	return bad
}

// moduleOf is the required module that a package is of: the longest that fits.
func moduleOf(name string, required [][]string) (mod string) {
	for _, m := range required {
		if (name == m[1] || strings.HasPrefix(name, m[1]+"/")) && len(m[1]) > len(mod) {
			mod = m[1]
		}
	}
	return mod
}

// clockCalls finds calls that read the clock or wait for it.
func clockCalls(file, name string) (bad []string) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		return []string{err.Error()}
	}
	banned := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(banned, s.Sel.Name) {
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "time" {
				bad = append(bad, fmt.Sprintf("%s:%d: time.%s: no clock here", name, set.Position(s.Pos()).Line, s.Sel.Name))
			}
		}
		return true
	})
	return bad
}

func TestFileSizes(t *testing.T)            { report(t, sizeRule) }
func TestNoInit(t *testing.T)               { report(t, initRule) }
func TestNothingLeftOver(t *testing.T)      { report(t, textRule) }
func TestDocComments(t *testing.T)          { report(t, commentRule) }
func TestDecisionsIndexed(t *testing.T)     { report(t, adrRule) }
func TestLibrariesHaveReasons(t *testing.T) { report(t, libraryRule) }
