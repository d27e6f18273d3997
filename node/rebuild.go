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

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
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
		if err := seedFromLog(ctx, c, dir); err != nil {
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
	if done.Run, err = n.absorbMissing(ctx); err != nil {
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
	trust   []byte // the row record.TrustRow; nil if there was none
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
	return &c, nil
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

// seedFromLog makes a store with the generations whose markers the log has. A log
// without markers needs none.
func seedFromLog(ctx context.Context, c Config, dir string) error {
	n, err := OpenBackends(ctx, c)
	if err != nil {
		return err
	}
	newest, info := record.Marker{}, struct{ id string }{}
	topic, err := n.queue.Info(ctx)
	if err == nil {
		info.id = topic.ID
		for part := range topic.Partitions {
			err = errors.Join(err, n.queue.ReadAll(ctx, part, topic.Starts[part], topic.Ends[part], func(r *kgo.Record) error {
				if m, err := record.ParseMarker(r.Value, view.CheckSettings); err == nil && record.IsMarker(r) && m.Generation > newest.Generation && m.Generation < mostGenerations {
					newest = m
				}
				return nil
			}))
		}
	}
	if err := errors.Join(err, n.Close()); err != nil || newest.Generation == 0 {
		return err
	}
	settings := view.Defaults()
	p := store.Pointer{Next: newest.Generation + 1, Marked: true, Settings: settings.String()}
	if newest.Settings != nil {
		p.Settings = newest.Settings.String()
	}
	for g := range p.Next {
		p.Generations = append(p.Generations, g)
	}
	if err := os.RemoveAll(dir); err != nil { // OpenBackends made an empty one
		return err
	}
	return seed(ctx, dir, &control{pointer: p, epochs: []store.Epoch{{TopicID: info.id, Partitions: topic.Partitions,
		Starts: topic.Starts, Settings: settings.String(), Reason: "the store was made again"}}})
}

// absorbMissing does a batch run if the archive has records that were not counted
// again: of log epochs before this one, or below the log's start.
func (n *Node) absorbMissing(ctx context.Context) (bool, error) {
	if n.opts.Batch.Archive == NoArchive {
		return false, nil
	}
	m, err := n.batch.layer.Archived(ctx)
	if err != nil || m == nil {
		return false, err
	}
	now := n.epochNow()
	missing := false
	for _, l := range m.Shards {
		missing = missing || l.End > l.Start && (l.Epoch < now.Number || int(l.Partition) < len(now.Starts) && l.Start < now.Starts[l.Partition])
	}
	if !missing {
		return false, nil
	}
	_, err = n.batch.Run(ctx)
	return err == nil, err
}
