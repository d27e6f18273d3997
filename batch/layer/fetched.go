package layer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"speedlayer/batch/views"
	"speedlayer/internal/objects"
	"speedlayer/store"
)

// remote is the shelf as this process uses it.
type remote struct {
	ctx  context.Context //nolint:containedctx // of fetches, which outlive the query that asked first
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	shelf   *shelf // nil until it is opened
	lock    *flock.Flock
	fetches map[string]*fetch // under way, by run
}

// fetch is one under way.
type fetch struct {
	done chan struct{}
	err  error // behind done
}

// OpenShelf opens where views lie for all processes, if they do not lie in a
// folder; else there is nothing to do. It is called by itself when it is needed:
// a caller that does so before learns early what is wrong.
func (l *Layer) OpenShelf(ctx context.Context) error {
	if l.cfg.Views == "" {
		return nil
	}
	_, err := l.shelf(ctx)
	return err
}

func (l *Layer) shelf(ctx context.Context) (*shelf, error) {
	r := &l.remote
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shelf != nil {
		return r.shelf, nil
	}
	dir := l.path("views")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "LOCK"))
	if held, err := lock.TryLock(); err != nil || !held {
		return nil, errors.Join(fmt.Errorf("%s is another process's: where views lie in an object store, each process has a folder of its own that it fetches them into", dir), err)
	}
	store, err := objects.Open(l.cfg.Views)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("batch views: %w", err), lock.Unlock())
	}
	r.shelf, r.lock, r.fetches = &shelf{store}, lock, map[string]*fetch{}
	return r.shelf, nil
}

// have returns when a run's views are in the folder, or ctx ends; the fetch goes
// on then, so that a later call finds more of it done.
func (l *Layer) have(ctx context.Context, run store.Run) error {
	if l.cfg.Views == "" || l.opened.has(run.Views) || exists(filepath.Join(l.path("views"), run.Views, views.MetaName)) {
		return nil
	}
	s, err := l.shelf(ctx)
	if err != nil {
		return err
	}
	f := l.begin(s, run.Views)
	select {
	case <-f.done:
		if errors.Is(f.err, objects.ErrNotFound) {
			return fmt.Errorf("run %d: its views are not in %s: %w", run.Number, l.cfg.Views, f.err)
		}
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("run %d: its views are being fetched: %w", run.Number, ctx.Err())
	}
}

// begin begins to fetch a run, or joins the fetch under way.
func (l *Layer) begin(s *shelf, run string) *fetch {
	r := &l.remote
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.fetches[run]; f != nil {
		return f
	}
	f := &fetch{done: make(chan struct{})}
	r.fetches[run] = f
	r.done.Go(func() {
		f.err = s.fetch(r.ctx, run, l.path("views"))
		if f.err == nil {
			f.err = l.forget(run)
		}
		r.mu.Lock()
		delete(r.fetches, run)
		r.mu.Unlock()
		close(f.done)
	})
	return f
}

// forget removes from the folder what was fetched of runs before the one that is
// there now and is not open, and what killed processes left of fetches. The runs
// are on the shelf still.
func (l *Layer) forget(now string) error {
	found, err := os.ReadDir(l.path("views"))
	if err != nil {
		return err
	}
	newest, _ := numberOf(now)
	var errs []error
	for _, f := range found {
		name := f.Name()
		old := strings.HasPrefix(name, fetching) && !l.isFetched(strings.TrimPrefix(name, fetching))
		if n, ok := numberOf(name); ok && n < newest && !l.opened.has(name) {
			old = true
		}
		if old {
			errs = append(errs, os.RemoveAll(filepath.Join(l.path("views"), name)))
		}
	}
	return errors.Join(errs...)
}

func (l *Layer) isFetched(run string) bool {
	l.remote.mu.Lock()
	defer l.remote.mu.Unlock()
	return l.remote.fetches[run] != nil
}

// closeShelf ends fetches and gives the folder back.
func (l *Layer) closeShelf() error {
	r := &l.remote
	r.stop()
	r.done.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shelf == nil {
		return nil
	}
	err := errors.Join(r.shelf.objects.Close(), r.lock.Unlock())
	r.shelf = nil
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
