package worlds

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"speedlayer/store"
)

// The rows that change rarely.

func (s *tornStore) Epochs(context.Context) ([]store.Epoch, error) {
	return slices.Clone(s.epochs), nil
}

func (s *tornStore) AppendEpoch(_ context.Context, e store.Epoch) error {
	if int(e.Number) != len(s.epochs) {
		return store.ErrConflict
	}
	s.epochs = append(s.epochs, e)
	return nil
}

func (s *tornStore) Pointer(context.Context) (store.Pointer, error) {
	if err := s.w.call("reading the pointer"); err != nil {
		return store.Pointer{}, err
	}
	return s.pointer, nil
}

func (s *tornStore) SwapPointer(_ context.Context, expect uint64, p store.Pointer) error {
	if err := s.w.call("swapping the pointer"); err != nil {
		return err
	}
	if s.pointer.Counter != expect || p.Counter != expect+1 {
		return store.ErrConflict
	}
	p.Generations = slices.Clone(p.Generations)
	s.w.checkPointer(s.pointer, p)
	s.w.checkSwitch(s.pointer, p)
	s.pointer = p
	if s.w.tracing {
		s.w.trace("the pointer is %s", pointerText(&p))
	}
	if s.w.fault(60) {
		return errLost // it was done
	}
	return nil
}

func (s *tornStore) CreateGeneration(_ context.Context, g uint32) error {
	if err := s.w.call("creating a generation"); err != nil {
		return err
	}
	if s.dropped[g] {
		return store.ErrDropped
	}
	s.created[g] = true
	return nil
}

func (s *tornStore) DropGeneration(_ context.Context, g uint32) error {
	if err := s.w.call("dropping a generation"); err != nil {
		return err
	}
	s.w.checkDrop(g)
	s.w.trace("generation %d is dropped", g)
	s.dropped[g] = true
	maps.DeleteFunc(s.cells, func(p place, _ cellValue) bool { return p.id.key.Generation == g })
	return nil
}

func (s *tornStore) Stats(context.Context) (store.Stats, error) {
	if err := s.w.call("asking for the tables"); err != nil {
		return store.Stats{}, err
	}
	var st store.Stats
	for g := range s.created {
		if !s.dropped[g] {
			st.Generations = append(st.Generations, g)
		}
	}
	slices.Sort(st.Generations)
	return st, nil
}

func pointerText(p *store.Pointer) string {
	text := fmt.Sprintf("%d: generations %v, marked %v, next %d", p.Counter, p.Generations, p.Marked, p.Next)
	if p.Current != nil {
		text += fmt.Sprintf(", run %d up to %v", p.Current.Number, p.Current.Vector)
	}
	if p.Previous != nil {
		text += fmt.Sprintf(", before it %d", p.Previous.Number)
	}
	if p.Running != nil {
		text += fmt.Sprintf(", under way %d by %q", p.Running.Number, p.Running.Owner)
	}
	return text
}
func (s *tornStore) Close() error { return nil }

// reader reads what is there at each step: nothing is of one moment.
type reader struct{ s *tornStore }

func (s *tornStore) Read(context.Context) (store.Reader, error) { return reader{s}, nil }

func (r reader) Atomic() bool { return false }
func (r reader) Close() error { return nil }

func (r reader) Pointer(ctx context.Context) (store.Pointer, error) { return r.s.Pointer(ctx) }
func (r reader) Epochs(ctx context.Context) ([]store.Epoch, error)  { return r.s.Epochs(ctx) }

func (r reader) Commits(context.Context) ([]store.ShardCommit, error) {
	if err := r.s.w.call("reading the commits"); err != nil {
		return nil, err
	}
	var all []store.ShardCommit
	for sh, c := range r.s.commits {
		all = append(all, store.ShardCommit{Shard: sh, Commit: c})
	}
	slices.SortFunc(all, func(a, b store.ShardCommit) int { return a.Shard.Compare(b.Shard) })
	return all, nil
}

// Scan takes the list of cells at its start and each cell's value when it comes
// to it.
func (r reader) Scan(_ context.Context, rg store.Range, fn func(c *store.ScanCell) error) error {
	if err := r.s.w.call("scanning"); err != nil {
		return err
	}
	var found []cellID
	for p := range r.s.cells {
		id, k := p.id, p.id.key
		if p.delta > 0 {
			if _, whole := r.s.cells[place{id, 0}]; whole {
				continue
			}
		}
		if k.Generation == rg.Generation && k.View == rg.View && rg.HasURL([]byte(k.URL)) && rg.From <= k.Hour && k.Hour < rg.To {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b cellID) int {
		if c := a.key.Compare(b.key); c != 0 {
			return c
		}
		return a.shard.Compare(b.shard)
	})
	for i, id := range found {
		if i > 0 {
			if err := r.s.w.call("scanning on"); err != nil {
				return err
			}
		}
		c, ok := r.s.cell(id)
		if !ok {
			continue // its generation was dropped
		}
		if err := fn(&store.ScanCell{URL: []byte(id.key.URL), Hour: id.key.Hour, Shard: id.shard, Version: c.version, Value: c.value}); err != nil {
			return err
		}
	}
	return nil
}

// The named rows are not of what the worlds look at.
func (s *tornStore) Row(context.Context, string) ([]byte, error) { return nil, errNoRows }

func (s *tornStore) SwapRow(context.Context, string, []byte, []byte) (bool, error) {
	return false, errNoRows
}

var errNoRows = errors.New("worlds: no named rows")
