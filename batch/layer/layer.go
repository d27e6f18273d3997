package layer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"speedlayer/batch/archive"
	"speedlayer/batch/compute"
	"speedlayer/batch/views"
	"speedlayer/internal/objects"
	"speedlayer/record"
	"speedlayer/store"
)

// Config defines where the layer lies and what it is made of. Source and Commits are
// needed for runs; a process that only reads views needs Dir alone.
type Config struct {
	Dir     string // see the package; made if missing
	Archive string // URL of the archive; "" is DIR/archive
	Views   string // URL of an object store for the views of runs; "": DIR/views is where they lie
	Source  archive.Source
	Commits archive.Commits
	// CheckSettings is that of archive.Config.
	CheckSettings func(operator string) error
	Trust         func() *record.Trust // that of archive.Config
	MemoryBytes   int64                // of a run; 0 is the default of package compute
	Workers       int                  // of a run; 0 is the number of cores

	// Progress is told how far the computation is; may be nil.
	Progress func(p compute.Progress)
	Logger   *slog.Logger // nil: none
}

// Layer is the batch layer as one process sees it. Safe for concurrent use; one
// run at a time.
type Layer struct {
	cfg    Config
	opened opened
	remote remote

	mu       sync.Mutex // held while the archive is opened
	archive  *archive.Archive
	archiver *archive.Archiver
}

// New returns a layer; nothing is opened yet. Its owner closes it.
func New(cfg Config) *Layer {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Layer{cfg: cfg}
	l.remote.ctx, l.remote.stop = context.WithCancel(context.Background())
	return l
}

func (l *Layer) path(name string) string { return filepath.Join(l.cfg.Dir, name) }

// open opens the archive, which is made if it is missing.
func (l *Layer) open(ctx context.Context) (*archive.Archive, *archive.Archiver, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.archive != nil {
		return l.archive, l.archiver, nil
	}
	url := l.cfg.Archive
	if url == "" {
		dir, err := filepath.Abs(l.path("archive"))
		if err != nil {
			return nil, nil, err
		}
		url = "file://" + filepath.ToSlash(dir)
	}
	if err := os.MkdirAll(l.path("work"), 0o755); err != nil {
		return nil, nil, err
	}
	store, err := objects.Open(url)
	if err != nil {
		return nil, nil, fmt.Errorf("archive %s: %w", url, err)
	}
	a, err := archive.NewArchiver(archive.Config{Objects: store, Source: l.cfg.Source, Commits: l.cfg.Commits,
		CheckSettings: l.cfg.CheckSettings, Trust: l.cfg.Trust, TempDir: l.path("work"), Logger: l.cfg.Logger})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	l.archive, l.archiver = archive.New(store), a
	return l.archive, l.archiver, nil
}

// Cover implements batch.Job.
func (l *Layer) Cover(ctx context.Context, run store.Run) error {
	_, a, err := l.open(ctx)
	if err != nil {
		return err
	}
	_, err = a.ArchiveTo(ctx, run.Vector)
	return err
}

// Compute implements batch.Job. The edges are those that are archived when it
// begins.
func (l *Layer) Compute(ctx context.Context, run store.Run) (string, error) {
	a, _, err := l.open(ctx)
	if err != nil {
		return "", err
	}
	snap, err := a.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	edges, err := compute.EdgesBefore(ctx, a, snap.EdgeEnd())
	if err != nil {
		return "", fmt.Errorf("equiv edges: %w", err)
	}
	dir, err := compute.Run(ctx, compute.Input{
		Log: compute.FromArchive(a), Vector: run.Vector, Number: run.Number, Edges: edges, Lost: snap.AcceptedLoss(run.Vector),
		WorkDir: l.path("work"), OutDir: l.path("views"), MemoryBytes: l.cfg.MemoryBytes, Workers: l.cfg.Workers,
		Progress: l.cfg.Progress,
	})
	if err != nil || l.cfg.Views == "" {
		return filepath.Base(dir), err
	}
	s, err := l.shelf(ctx)
	if err == nil {
		err = s.publish(ctx, dir)
	}
	return filepath.Base(dir), err
}

// Check implements batch.Job: the views are whole, and those of this run.
func (l *Layer) Check(ctx context.Context, run store.Run) (err error) {
	if err := l.have(ctx, run); err != nil {
		return err
	}
	v, err := l.openRun(run)
	if err != nil {
		return err
	}
	return errors.Join(v.Verify(ctx), v.Close())
}

func (l *Layer) openRun(run store.Run) (*views.Views, error) {
	if run.Views == "" || run.Views != filepath.Base(run.Views) {
		return nil, fmt.Errorf("run %d: %q is not a folder of views", run.Number, run.Views)
	}
	v, err := views.Open(filepath.Join(l.path("views"), run.Views))
	if err != nil {
		return nil, err
	}
	if is := v.Run(); is.Number != run.Number || !slices.Equal(sorted(is.Vector), sorted(run.Vector)) {
		return nil, errors.Join(fmt.Errorf("%w: %s holds run %d up to %v, not %d up to %v",
			store.ErrCorrupt, run.Views, is.Number, is.Vector, run.Number, run.Vector), v.Close())
	}
	return v, nil
}

func sorted(vector []store.VectorEntry) []store.VectorEntry {
	return slices.SortedFunc(slices.Values(vector), func(a, b store.VectorEntry) int {
		return store.Shard{Epoch: a.Epoch, Partition: a.Partition}.Compare(store.Shard{Epoch: b.Epoch, Partition: b.Partition})
	})
}

// Keep implements batch.Job. Folders that a run is still making have another
// name; package compute cleans them. What is removed while a query of this process
// reads it stays readable to that. A run that has not said yet which of the folders
// made for its number it is keeps all of them.
func (l *Layer) Keep(ctx context.Context, runs []store.Run, next uint32) error {
	drop := func(name string) bool {
		n, ok := numberOf(name)
		return ok && n < next && !slices.ContainsFunc(runs, func(r store.Run) bool { return r.Views == name || r.Views == "" && r.Number == n })
	}
	if l.cfg.Views != "" {
		s, err := l.shelf(ctx)
		if err == nil {
			err = s.clear(ctx, drop)
		}
		if err != nil {
			return err
		}
	}
	found, err := os.ReadDir(l.path("views"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range found {
		name := f.Name()
		if !drop(name) {
			continue
		}
		l.opened.drop(name)
		if err := os.RemoveAll(filepath.Join(l.path("views"), name)); err != nil {
			return err
		}
	}
	return nil
}

// numberOf is the run that a folder was made for: run-NUMBER-KEY, as package
// compute names it when it is complete.
func numberOf(folder string) (uint32, bool) {
	text, isRun := strings.CutPrefix(folder, "run-")
	number, key, whole := strings.Cut(text, "-")
	n, err := strconv.ParseUint(number, 10, 32)
	return uint32(n), isRun && whole && err == nil && !strings.Contains(key, ".")
}

// Follow archives what is committed, now and then, until ctx ends, so that a run
// has little left to archive. An error means that the archive cannot be opened.
func (l *Layer) Follow(ctx context.Context) error {
	_, a, err := l.open(ctx)
	if err != nil {
		return err
	}
	a.Run(ctx)
	return nil
}

// ArchivedHere is the newest manifest that this process wrote; nil if none.
func (l *Layer) ArchivedHere() *archive.Manifest {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.archiver == nil {
		return nil
	}
	return l.archiver.Newest()
}

// Archived is the archive's newest manifest.
func (l *Layer) Archived(ctx context.Context) (*archive.Manifest, error) {
	a, _, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return s.Manifest, nil
}

// Close closes what is open. No query may read views any more.
func (l *Layer) Close() error {
	err := errors.Join(l.closeShelf(), l.opened.close())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.archive != nil {
		err = errors.Join(err, l.archiver.Close(), l.archive.Close())
		l.archive, l.archiver = nil, nil
	}
	return err
}
