package pebble

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"speedlayer/store"
)

// A file of the store that is damaged makes operations that need it fail, with an
// error that names the file and what to do. Others go on. Nothing is repaired here:
// the log and the archive have all that the store is made of.

// remedy ends the errors of a damaged store.
const remedy = "stop the process, look at the disk, and make the store again from the log with: speedlayer rebuild --data DIR"

// damage is the first that was noticed.
type damage struct {
	sync.Mutex
	err   error
	stuck bool // a goroutine of the database has ended: it cannot be closed
}

func (d *damage) note(file string, err error) {
	d.Lock()
	defer d.Unlock()
	if d.err == nil {
		d.err = damaged(file, err)
	}
}

// Damage is why operations fail for good; nil if no damage was met.
func (s *Store) Damage() error {
	s.damage.Lock()
	defer s.damage.Unlock()
	return s.damage.err
}

// listen notes what the database finds while it reads. Without a listener it would
// end the process.
func (d *damage) listen() *pebble.EventListener {
	return &pebble.EventListener{DataCorruption: func(i pebble.DataCorruptionInfo) { d.note(i.Path, i.Details) }}
}

// damaged names the file. Of the database's error it keeps the first line: others
// are for programs.
func damaged(file string, err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%w: %s is damaged (%s): %s", store.ErrCorrupt, file, text, remedy)
}

// named makes of an error that comes from damage one that names the file.
func (s *Store) named(err error) error {
	if err == nil || errors.Is(err, store.ErrCorrupt) && strings.Contains(err.Error(), remedy) {
		return err
	}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		return damaged(info.Path, err)
	}
	if !pebble.IsCorruptionError(err) && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	if known := s.Damage(); known != nil {
		return known
	}
	return damaged("a file in "+s.opts.Dir, err)
}

// unknownTable is how the database calls a table that is not there when it opens.
var unknownTable = regexp.MustCompile(`file (\d+) \(type sstable\)`)

// namedOpen is named for an error of opening, which as a rule has the file's name.
func namedOpen(dir string, err error) error {
	text := err.Error()
	if strings.Contains(text, remedy) {
		return err
	}
	if m := unknownTable.FindStringSubmatch(text); m != nil {
		return damaged(filepath.Join(dir, m[1]+".sst"), err)
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \"'`:,()", r) }) {
		base := filepath.Base(word)
		if strings.HasSuffix(base, ".sst") || strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "OPTIONS-") {
			return damaged(filepath.Join(dir, base), err)
		}
	}
	if pebble.IsCorruptionError(err) || errors.Is(err, store.ErrCorrupt) {
		return damaged("a file in "+dir, err)
	}
	return fmt.Errorf("store in %s: %w", dir, err)
}

// sizeMismatch begins what the database calls fatal when a table has another size
// than it had when it was written.
const sizeMismatch = "object size mismatch ("

// fatal is called where the database cannot go on. It does not return. A table of
// the wrong size is damage, found by a goroutine in the background, which ends.
func (d *damage) fatal(message string) {
	_, after, found := strings.Cut(message, sizeMismatch)
	if !found {
		panic("pebble: " + message)
	}
	file, _, _ := strings.Cut(after, ")")
	d.note(file, errors.New(message))
	d.Lock()
	d.stuck = true
	d.Unlock()
	runtime.Goexit()
}
