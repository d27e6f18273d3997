package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutants are all of them.
var mutants = slices.Concat(engineMutants, deltaMutants, answerMutants, storeMutants, rangeMutants, incarnationMutants, batchMutants, runMutants, archiveMutants, topologyMutants, sparkMutants, securityMutants)

// A mutant is a way to break a law.
type mutant struct {
	name  string
	line  string // which counterexample of the design it is, or which law it breaks
	what  string // what it does, in a few words
	edits []edit
	pkg   string // whose tests must notice
	run   string // which of them, as go test -run takes it
}

// An edit replaces a text that stands exactly once in a file.
type edit struct{ file, old, new string }

// apply returns the files of a mutant with its edits, by path from root.
func (m *mutant) apply(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.edits {
		text, ok := files[e.file]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, fmt.Errorf("mutant %s is stale: %w", m.name, err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("mutant %s is stale: %q stands %d times in %s", m.name, e.old, n, e.file)
		}
		files[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
}
