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

// When a file of the store is damaged, operations that need it fail with an error that
// names the file and the remedy. Other operations continue. Nothing is repaired here,
// because the log and the archive have everything that the store is made from.

// remedy ends the errors of a damaged store.
const remedy = "stop the process, look at the disk, and make the store again from the log with: speedlayer rebuild --data DIR"

// damage records the first damage that was found.
type damage struct {
	sync.Mutex
	err   error
	stuck bool // a goroutine of the database has ended: the database cannot be closed
}

func (d *damage) note(file string, err error) {
	d.Lock()
	defer d.Unlock()
	if d.err == nil {
		d.err = damaged(file, err)
	}
}

// Damage returns why operations fail permanently, or nil if no damage was found.
func (s *Store) Damage() error {
	s.damage.Lock()
	defer s.damage.Unlock()
	return s.damage.err
}

// listen records what the database finds while it reads. Without a listener the
// database would end the process.
func (d *damage) listen() *pebble.EventListener {
	return &pebble.EventListener{DataCorruption: func(i pebble.DataCorruptionInfo) { d.note(i.Path, i.Details) }}
}

// damaged returns an error that names the file. It keeps only the first line of the
// database's error, because the others are for programs.
func damaged(file string, err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%w: %s is damaged (%s): %s", store.ErrCorrupt, file, text, remedy)
}

// named turns an error that comes from damage into one that names the file.
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

// unknownTable is the database's message for a table that is missing when it opens.
var unknownTable = regexp.MustCompile(`file (\d+) \(type sstable\)`)

// namedOpen is like named, for an error of opening, which usually contains the file name.
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

// sizeMismatch is the beginning of the database's fatal message for a table whose size
// differs from its size when it was written.
const sizeMismatch = "object size mismatch ("

// fatal is called when the database cannot continue. It does not return. A table of
// the wrong size is damage, found by a background goroutine, which ends.
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
