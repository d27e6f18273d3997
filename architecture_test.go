// Package speedlayer holds no code: the tests here hold the whole to its
// architecture. Each rule is a function from a module's directory to what it
// found there; each is shown to find something in a small module that breaks it.
package speedlayer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "speedlayer"

// mayImport reports which of our packages a package may import (docs/design.md, "Layout
// and imports"). A name with /* stands for everything below. Packages of tests
// and tools (sim) may import what they test; cmd may import everything.
var mayImport = map[string][]string{
	"event":      {},
	"crdt":       {},
	"record":     {},
	"demo":       {},
	"internal/*": {},

	"internal/devcluster/clustertest": {"internal/devcluster"},
	"internal/devcluster":             {"internal/sealed", "internal/once"},
	"internal/httpserver":             {"internal/problem"},

	"queue":           {"event", "record"},
	"queue/embedded":  {"internal/*"},
	"store":           {"event", "crdt"},
	"store/*":         {"store", "event", "crdt"},
	"store/hbase":     {"store", "event", "crdt", "store/hbase/client", "store/parts"},
	"store/cassandra": {"store", "event", "crdt", "store/parts"},
	"view":            {"store", "event", "crdt", "record"},
	"catalog":         {"queue", "store", "record"},
	"microbatch":      {"catalog", "queue", "store", "record"},
	"batch":           {"catalog", "queue", "store", "record"},
	"query":           {"view", "store", "crdt", "event", "batch/views", "internal/*"},
	"query/api":       {"query", "query/active", "store", "event", "internal/*"},
	"query/active":    {"view"},
	"collector":       {"queue", "event", "internal/*", "collector/*"},
	"collector/*":     {"queue", "event", "internal/*", "collector/*"},
	"dashboard":       {"query", "event", "internal/*"},
	"batch/views":     {"store", "crdt"},

	// Jobs of one's own on the engine: no pageviews, no view.
	"topology":   {"catalog", "crdt", "microbatch", "queue", "queue/*", "record", "store", "store/pebble"},
	"examples/*": {"topology", "event", "internal/*", "examples/internal/*"},
	// It has a queue of its own, and reaches it as a cluster's.
	"examples/queuesworkers": {"topology", "queue", "queue/embedded", "internal/child"},

	// It shares with the speed layer what a record is, and no view.
	"batch/archive": {"event", "queue", "store", "record", "internal/objects", "internal/sealed"},
	// No code of view, and none of microbatch's operators: it is a second writing.
	"batch/compute": {"batch/archive", "batch/views", "event", "crdt", "store"},
	"batch/layer":   {"batch/archive", "batch/compute", "batch/views", "event", "record", "store", "internal/objects"},

	// The hub: it puts all stages together, and no simulation.
	"node": {"event", "crdt", "record", "queue", "queue/*", "store", "store/*", "view", "microbatch", "catalog", "batch", "query", "query/*", "collector", "collector/*", "dashboard",
		"batch/*", "internal/*", "verify", "spark/worker"},

	// The worker beside a Spark executor speaks a protocol; node has the work.
	"spark":        {"internal/*"},
	"spark/worker": {},

	"sim/generate": {},
	"bench/peers":  {"internal/child", "internal/once"},
	// The oracle shares the store's types, and no code with what it checks.
	"verify/oracle": {"store"},
	// It reads what it compares, and shares no code with what computed it.
	"verify": {"verify/oracle", "store", "queue", "record", "internal/*"},
}

// pure packages read no clock, draw nothing at random, and do no I/O: what they
// do is a function of what they are given (law 2).
var pure = []string{"view", "crdt", "event", "record", "verify/oracle"}

// impure are the standard packages that pure ones may not import.
var impure = []string{"net", "net/http", "os", "os/exec", "io/fs", "io/ioutil", "log", "log/slog", "syscall",
	"math/rand", "math/rand/v2", "crypto/rand"}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Name     string
	Doc                       string
	GoFiles                   []string
	TestGoFiles, XTestGoFiles []string
	Imports                   []string
	TestImports               []string
	XTestImports              []string
	Error                     *struct{ Err string }
	DepsErrors                []*struct{ Err string }
}

// short is the package's path within the module.
func (p *listed) short() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// ours are the packages of the module that p imports outside of its tests.
func (p *listed) ours() (all []string) {
	for _, i := range p.Imports {
		if s, ok := strings.CutPrefix(i, module+"/"); ok {
			all = append(all, s)
		}
	}
	return all
}

// packages lists the module in dir.
func packages(dir string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-e", "-json", "./...")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w", dir, err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// matches reports whether a package is one of the patterns.
func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		below, all := strings.CutSuffix(p, "/*")
		return p == name || all && strings.HasPrefix(name, below+"/")
	})
}

// allowed returns what a package may import; ok is false when there is no rule.
func allowed(name string) (patterns []string, ok bool) {
	for p := name; p != "."; p = path.Dir(p) {
		if patterns, ok = mayImport[p]; ok && p == name {
			return patterns, true
		}
		if patterns, ok = mayImport[path.Dir(p)+"/*"]; ok {
			return patterns, true
		}
	}
	return nil, false
}

func importRules(dir string) (bad []string) {
	all, err := packages(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for i := range all {
		p := &all[i]
		name := p.short()
		top, _, _ := strings.Cut(name, "/")
		patterns, ruled := allowed(name)
		for _, o := range p.ours() {
			switch {
			case strings.HasPrefix(o, "cmd/"):
				bad = append(bad, fmt.Sprintf("%s imports %s: nothing imports cmd", name, o))
			case ruled && !matches(o, patterns):
				bad = append(bad, fmt.Sprintf("%s imports %s: allowed is %v", name, o, patterns))
			}
		}
		if !ruled && p.ImportPath != module && top != "cmd" && top != "sim" {
			bad = append(bad, fmt.Sprintf("%s: no rule says what it may import; is it meant to be there?", name))
		}
	}
	return bad
}

// hubRule: node alone may know every stage.
func hubRule(dir string) (bad []string) {
	stages := []string{"event", "collector", "queue", "microbatch", "view", "store", "query", "catalog", "batch"}
	all, err := packages(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for i := range all {
		p := &all[i]
		missing := slices.IndexFunc(stages, func(s string) bool { return !matches(s, p.ours()) })
		if missing < 0 && p.short() != "node" {
			bad = append(bad, p.short()+" imports every stage: only node may")
		}
	}
	return bad
}

func purityRule(dir string) (bad []string) {
	all, err := packages(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for i := range all {
		p := &all[i]
		if !slices.Contains(pure, p.short()) {
			continue
		}
		for _, name := range p.Imports {
			if slices.Contains(impure, name) {
				bad = append(bad, fmt.Sprintf("%s imports %s: it does no I/O and draws nothing at random", p.short(), name))
			}
		}
		for _, f := range p.GoFiles {
			bad = append(bad, clockCalls(path.Join(p.Dir, f), p.short()+"/"+f)...)
		}
	}
	return bad
}

// docRule: the comment that describes what a package is for stands in doc.go, where
// readers look; a package of one file may have it there.
func docRule(dir string) (bad []string) {
	all, err := packages(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for i := range all {
		p := &all[i]
		switch {
		case len(p.GoFiles) == 0:
		case p.Doc == "":
			bad = append(bad, p.short()+": no package comment")
		case len(p.GoFiles) > 1 && p.Name != "main" && !slices.Contains(p.GoFiles, "doc.go"):
			bad = append(bad, p.short()+": no doc.go")
		}
	}
	return bad
}

// loadRule: every package can be read at all; else the other rules see less
// than there is.
func loadRule(dir string) (bad []string) {
	all, err := packages(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for i := range all {
		if e := all[i].Error; e != nil {
			bad = append(bad, all[i].short()+": "+e.Err)
		}
		for _, e := range all[i].DepsErrors {
			bad = append(bad, all[i].short()+": "+e.Err)
		}
	}
	return bad
}

func report(t *testing.T, rule func(dir string) []string) {
	t.Helper()
	for _, bad := range rule(".") {
		t.Error(bad)
	}
}

func TestPackagesLoad(t *testing.T)     { report(t, loadRule) }
func TestImports(t *testing.T)          { report(t, importRules) }
func TestOnlyNodeIsTheHub(t *testing.T) { report(t, hubRule) }
func TestPurity(t *testing.T)           { report(t, purityRule) }
func TestPackageDocs(t *testing.T)      { report(t, docRule) }
