package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"speedlayer/batch/views"
	"speedlayer/internal/objects"
)

// shelf is where views lie for all processes, each of which fetches those of the
// runs that it reads into a folder of its own:
//
//	run-000012-5d2e.../0000-pageviews-hour.sst ...
//	run-000012-5d2e.../run.json               put last: it marks the run as complete
//	accuracy/0000000012.json                  what a run found out
//
// Objects are what package views wrote, byte by byte, under names that are never
// given to other bytes.
type shelf struct{ objects objects.Store }

// together is how many files are carried at a time.
const together = 4

// publish puts a finished run on the shelf. What an attempt before put there
// stays; it must be the same.
func (s *shelf) publish(ctx context.Context, folder string) error {
	names, err := views.Files(folder)
	if err != nil {
		return err
	}
	run, last := filepath.Base(folder), len(names)-1
	g, work := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, name := range names[:last] {
		g.Go(func() error { return s.put(work, run+"/"+name, filepath.Join(folder, name)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return s.put(ctx, run+"/"+names[last], filepath.Join(folder, names[last]))
}

func (s *shelf) put(ctx context.Context, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was read only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	err = s.objects.Create(ctx, name, f, info.Size())
	if !errors.Is(err, objects.ErrExists) {
		return err
	}
	there, err := s.sum(ctx, name)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := xxh3.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if there != h.Sum128() {
		return fmt.Errorf("batch views: object %s is there with other bytes than %s: nothing may be put under names of runs but by runs; remove it", name, path)
	}
	return nil
}

func (s *shelf) sum(ctx context.Context, name string) (xxh3.Uint128, error) {
	h := xxh3.New()
	err := s.copy(ctx, h, name)
	return h.Sum128(), err
}

// piece is what is asked of the store at a time.
const piece = 8 << 20

func (s *shelf) copy(ctx context.Context, to io.Writer, name string) error {
	obj, err := s.objects.Open(ctx, name)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(to, onlyReader{io.NewSectionReader(obj, 0, obj.Size())}, make([]byte, min(piece, max(1, obj.Size()))))
	return errors.Join(err, obj.Close())
}

// onlyReader hides what else a reader can do from io.Copy.
type onlyReader struct{ io.Reader }

// fetch copies a run into dir/RUN, whole and durable, or not at all. Every file is
// compared with the checksum that run.json has for it.
func (s *shelf) fetch(ctx context.Context, run, dir string) (err error) {
	making := filepath.Join(dir, fetching+run)
	if err := os.RemoveAll(making); err != nil { // a killed process left it
		return err
	}
	if err := os.MkdirAll(making, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(making))
		}
	}()
	if err := s.get(ctx, run, views.MetaName, making); err != nil {
		return err
	}
	names, err := views.Files(making)
	if err != nil {
		return err
	}
	g, work := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, name := range names[:len(names)-1] {
		g.Go(func() error { return s.get(work, run, name, making) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := verify(ctx, making); err != nil {
		return fmt.Errorf("as it lies in the object store: %w", err)
	}
	if err := os.Rename(making, filepath.Join(dir, run)); err != nil {
		return err
	}
	return views.SyncDir(vfs.Default, dir)
}

// fetching begins the name of a folder that is not whole yet.
const fetching = "fetch-"

func (s *shelf) get(ctx context.Context, run, name, dir string) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	return errors.Join(s.copy(ctx, f, run+"/"+name), f.Sync(), f.Close())
}

func verify(ctx context.Context, folder string) error {
	v, err := views.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(v.Verify(ctx), v.Close())
}

// clear removes the runs that drop says yes to. What marks a run as whole goes
// first, so that a half removed one is none.
func (s *shelf) clear(ctx context.Context, drop func(run string) bool) error {
	gone := map[string][]string{} // objects by run
	err := s.objects.List(ctx, "run-", func(name string, _ int64) error {
		if run, file, ok := strings.Cut(name, "/"); ok && drop(run) {
			gone[run] = append(gone[run], file)
		}
		return nil
	})
	for run, files := range gone {
		if at := slices.Index(files, views.MetaName); at > 0 {
			files[0], files[at] = files[at], files[0]
		}
		for _, file := range files {
			if err := s.objects.Delete(ctx, run+"/"+file); err != nil {
				return err
			}
		}
	}
	return err
}

// notesUnder begins the names of notes.
const notesUnder = "accuracy/"

// note keeps a text; one that the run left before it was cut short gives way.
func (s *shelf) note(ctx context.Context, name string, text []byte) error {
	if err := s.objects.Delete(ctx, notesUnder+name); err != nil {
		return err
	}
	return s.objects.Create(ctx, notesUnder+name, bytes.NewReader(text), int64(len(text)))
}

func (s *shelf) notes(ctx context.Context) (names []string, err error) {
	err = s.objects.List(ctx, notesUnder, func(name string, _ int64) error {
		names = append(names, strings.TrimPrefix(name, notesUnder))
		return nil
	})
	return names, err
}

func (s *shelf) noteText(ctx context.Context, name string) ([]byte, error) {
	var b bytes.Buffer
	err := s.copy(ctx, &b, notesUnder+name)
	return b.Bytes(), err
}
