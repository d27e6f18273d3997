package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/store/pebble"
)

// Rebuilt is what Rebuild did.
type Rebuilt struct {
	Aside    string // where the old store lies now; "" if there was none
	Salvaged bool   // log epochs and the list of generations come from the old store
	Events   int64  // that are counted in the new store
	Run      bool   // a batch run followed, for what the log does not have any more
}

// Rebuild makes the embedded store of a data directory again, from the log and,
// where that does not reach back far enough, from the archive. The old store is
// set aside. Cells are a function of the log (law 2), so the answers are those of
// before; a Rebuild that is cut short can be begun again.
//
// What the log does not say is which log epochs and generations there were. That
// is read from the old store, as far as it can be read; else the log is one epoch,
// with the generations whose markers it has.
func Rebuild(ctx context.Context, c Config) (done Rebuilt, err error) {
	c.setDefaults()
	c.Keep = true
	dir := filepath.Join(c.Data, "store")
	lock := &Node{opts: c}
	if err := lock.lockData(); err != nil {
		return done, err
	}
	saved, err := setStoreAside(dir, &done, c.Logger)
	if err == nil && saved != nil {
		err = seed(ctx, dir, saved)
	}
	if err := errors.Join(err, lock.lock.Unlock()); err != nil {
		return done, err
	}
	if saved == nil {
		if saved, err = seedFromLog(ctx, c, dir); err != nil {
			return done, err
		}
	}
	n, err := Open(ctx, c)
	if err != nil {
		return done, err
	}
	if err := n.CatchUp(ctx); err != nil {
		return done, errors.Join(err, n.Close())
	}
	if done.Run, err = n.absorbMissing(ctx, saved); err != nil {
		return done, errors.Join(err, n.Close())
	}
	if status, err := n.engine.Status(ctx); err == nil {
		done.Events = status.Counts.Events
	}
	return done, n.Close()
}

// control is the rows of a store that its cells depend on.
type control struct {
	epochs  []store.Epoch
	pointer store.Pointer
	trust   []byte                // the row record.TrustRow; nil if there was none
	ends    map[store.Shard]int64 // up to where shards were committed; nil if that is not known
}

// setStoreAside renames the store, and reads the control rows of the old one.
func setStoreAside(dir string, done *Rebuilt, log *slog.Logger) (*control, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for n := 1; ; n++ {
		done.Aside = fmt.Sprintf("%s.damaged-%d", dir, n)
		if _, err := os.Lstat(done.Aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(dir, done.Aside); err != nil {
		return nil, err
	}
	saved, err := readControl(done.Aside, log)
	if err != nil {
		log.Warn("the old store does not say which log epochs and generations there were: they are taken from the log", "err", err)
		return nil, nil
	}
	done.Salvaged = true
	return saved, nil
}

// readControl reads the control rows of a copy of the store, so that nothing of
// the old one is changed.
func readControl(dir string, log *slog.Logger) (*control, error) {
	copied, err := os.MkdirTemp(filepath.Dir(dir), "rebuild-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(copied)
	if err := os.CopyFS(filepath.Join(copied, "store"), os.DirFS(dir)); err != nil {
		return nil, err
	}
	st, err := pebble.Open(pebble.Options{Dir: filepath.Join(copied, "store"), Logger: log})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	var c control
	if c.epochs, err = st.Epochs(context.Background()); err != nil {
		return nil, err
	}
	if c.pointer, err = st.Pointer(context.Background()); err != nil {
		return nil, err
	}
	if c.trust, err = st.Row(context.Background(), record.TrustRow); err != nil {
		return nil, err
	}
	if len(c.epochs) == 0 || len(c.pointer.Generations) == 0 {
		return nil, errors.New("it has no log epoch, or no generation")
	}
	r, err := st.Read(context.Background())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	commits, err := r.Commits(context.Background())
	c.ends = make(map[store.Shard]int64)
	for _, s := range commits {
		c.ends[s.Shard] = s.Commit.Offset
	}
	return &c, err
}

// seed makes a store that has control rows and no cells.
func seed(ctx context.Context, dir string, c *control) (err error) {
	st, err := pebble.Open(pebble.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for _, e := range c.epochs {
		if err := st.AppendEpoch(ctx, e); err != nil {
			return err
		}
	}
	if c.trust != nil {
		if _, err := st.SwapRow(ctx, record.TrustRow, nil, c.trust); err != nil {
			return err
		}
	}
	for g := range c.pointer.Next {
		if err := st.CreateGeneration(ctx, g); err != nil {
			return err
		}
		if !slices.Contains(c.pointer.Generations, g) {
			if err := st.DropGeneration(ctx, g); err != nil {
				return err
			}
		}
	}
	p := c.pointer
	p.Counter = 1
	return st.SwapPointer(ctx, 0, p)
}

// mostGenerations bounds the number of a generation that is taken from the log
// alone: without the store nobody can tell whether a marker is the system's.
const mostGenerations = 1 << 16
