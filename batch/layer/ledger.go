package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/views"
	"speedlayer/internal/objects"
)

// keptNotes is how many runs' notes are kept.
const keptNotes = 100

// Note keeps what a run found out, as DIR/accuracy/NUMBER.json, or beside the views
// in the object store. The last hundred runs' are kept.
func (l *Layer) Note(ctx context.Context, run uint32, text []byte) error {
	if l.cfg.Views != "" {
		return l.noteRemote(ctx, run, text)
	}
	dir := l.path("accuracy")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, noteName(run))
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
	slices.Sort(names)
	for len(names) > keptNotes {
		if err := os.Remove(filepath.Join(dir, names[0])); err != nil {
			return err
		}
		names = names[1:]
	}
	return nil
}

func noteName(run uint32) string { return fmt.Sprintf("%010d.json", run) }

func (l *Layer) noteRemote(ctx context.Context, run uint32, text []byte) error {
	s, err := l.shelf(ctx)
	if err != nil {
		return err
	}
	if err := s.note(ctx, noteName(run), text); err != nil {
		return err
	}
	names, err := s.notes(ctx)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)-keptNotes)] {
		if err := s.objects.Delete(ctx, notesUnder+name); err != nil {
			return err
		}
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

// notes are the names of the notes, in no order.
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
	return names, err
}

// Notes returns what the last runs found out, the newest first; most at most.
func (l *Layer) Notes(ctx context.Context, most int) (texts [][]byte, err error) {
	list := func(context.Context) ([]string, error) { return l.notes() }
	read := func(_ context.Context, name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(l.path("accuracy"), name))
	}
	if l.cfg.Views != "" {
		s, err := l.shelf(ctx)
		if err != nil {
			return nil, err
		}
		list, read = s.notes, s.noteText
	}
	names, err := list(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names[:min(most, len(names))] {
		text, err := read(ctx, name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, objects.ErrNotFound) {
			continue // another process keeps fewer
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}
