package layer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/views"
)

// keptNotes is how many runs' notes are kept.
const keptNotes = 100

// Note keeps what a run found out, as DIR/accuracy/NUMBER.json. The last hundred
// runs' are kept.
func (l *Layer) Note(run uint32, text []byte) error {
	dir := l.path("accuracy")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, fmt.Sprintf("%010d.json", run))
	if err := writeSynced(name+".tmp", text); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	if err := views.SyncDir(vfs.Default, dir); err != nil {
		return err
	}
	names, err := l.notes()
	if err != nil {
		return err
	}
	for len(names) > keptNotes {
		if err := os.Remove(filepath.Join(dir, names[0])); err != nil {
			return err
		}
		names = names[1:]
	}
	return nil
}

func writeSynced(name string, text []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = bytes.NewReader(text).WriteTo(f)
	return errors.Join(err, f.Sync(), f.Close())
}

// notes are the names of the notes, the oldest run's first.
func (l *Layer) notes() (names []string, err error) {
	found, err := os.ReadDir(l.path("accuracy"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, f := range found {
		if strings.HasSuffix(f.Name(), ".json") {
			names = append(names, f.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// Notes returns what the last runs found out, the newest first; most at most.
func (l *Layer) Notes(most int) (texts [][]byte, err error) {
	names, err := l.notes()
	if err != nil {
		return nil, err
	}
	slices.Reverse(names)
	for _, name := range names[:min(most, len(names))] {
		text, err := os.ReadFile(filepath.Join(l.path("accuracy"), name))
		if errors.Is(err, os.ErrNotExist) {
			continue // another process keeps fewer
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}
