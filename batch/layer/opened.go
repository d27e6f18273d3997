package layer

import (
	"context"
	"errors"
	"slices"
	"sync"

	"speedlayer/batch/views"
	"speedlayer/store"
)

// opened are the views that are open, by folder.
type opened struct {
	mu   sync.Mutex
	runs map[string]*openRun
}

// openRun counts the readers of a run. The layer itself is one of them, until another
// run's views are opened twice after, or the run is not kept.
type openRun struct {
	views   *views.Views
	readers int
	stale   bool // nobody may come any more: closed with the last reader
}

// Handle is a run's views in the hands of one reader, who closes it.
type Handle struct {
	*views.Views
	done func() error
}

// Close gives the views back.
func (h *Handle) Close() error { return h.done() }

// keptOpen is how many runs stay open without readers: the current one, and the
// one before, for readings that began before the switch.
const keptOpen = 2

// Views opens the views of a run, or takes part in what is open. Where they lie in
// an object store it waits for them to be fetched, as long as ctx allows.
func (l *Layer) Views(ctx context.Context, run store.Run) (*Handle, error) {
	if err := l.have(ctx, run); err != nil {
		return nil, err
	}
	o := &l.opened
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.runs[run.Views]
	if r == nil {
		v, err := l.openRun(run)
		if err != nil {
			return nil, err
		}
		r = &openRun{views: v}
		if o.runs == nil {
			o.runs = map[string]*openRun{}
		}
		o.runs[run.Views] = r
		if err := o.closeOldest(run.Views); err != nil {
			return nil, err
		}
	}
	r.readers++
	return &Handle{r.views, sync.OnceValue(func() error { return o.done(run.Views, r) })}, nil
}

func (o *opened) has(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.runs[name] != nil
}

// closeOldest retires runs beyond those that are kept open; folders sort by the
// number of their run. After a rollback the current one is not the newest, so the
// one just opened always stays.
func (o *opened) closeOldest(just string) error {
	var names []string
	for name := range o.runs {
		if name != just {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var errs []error
	for len(names) >= keptOpen {
		errs = append(errs, o.retire(names[0]))
		names = names[1:]
	}
	return errors.Join(errs...)
}

func (o *opened) retire(name string) error {
	r := o.runs[name]
	delete(o.runs, name)
	r.stale = true
	if r.readers > 0 {
		return nil
	}
	return r.views.Close()
}

func (o *opened) done(name string, r *openRun) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	r.readers--
	if r.stale && r.readers == 0 {
		return r.views.Close()
	}
	return nil
}

// drop retires a run whose folder goes.
func (o *opened) drop(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.runs[name] != nil {
		_ = o.retire(name) // it was read only
	}
}

func (o *opened) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for name := range o.runs {
		errs = append(errs, o.retire(name))
	}
	return errors.Join(errs...)
}
