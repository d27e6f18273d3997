package hbase

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// generation is one row of the control table.
type generation struct {
	number uint32
	state  string
}

// allGenerations reads the rows of all generations, by number.
func (s *Store) allGenerations(ctx context.Context) (all []generation, err error) {
	err = s.rows(ctx, generationPrefix, func(kv *client.KeyValue) error {
		if string(kv.Qualifier) != stateColumn {
			return nil
		}
		n, ok := numberOf(generationPrefix, string(kv.Row))
		if !ok {
			return fmt.Errorf("%w: row %q", store.ErrCorrupt, kv.Row)
		}
		all = append(all, generation{n, string(kv.Value)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("generations: %w", err)
	}
	return all, nil
}

// state returns what is known of a generation, or "" if it was never created. The
// remembered state may be out of date: created, and dropped since by another
// process. Then the table is missing, and whyFailed looks again.
func (s *Store) state(ctx context.Context, g uint32) (string, error) {
	s.mu.Lock()
	state, ok := s.mu.generations[g]
	s.mu.Unlock()
	if ok {
		return state, nil
	}
	return s.readState(ctx, g)
}

func (s *Store) readState(ctx context.Context, g uint32) (string, error) {
	c, err := s.client.Value(ctx, s.names.control(), generationRow(g), controlFamily, stateColumn)
	if err != nil {
		return "", fmt.Errorf("generation %d: %w", g, err)
	}
	if c == nil {
		return "", nil
	}
	s.remember(g, string(c.Value))
	return string(c.Value), nil
}

// remember keeps a state. A dropped generation never becomes created again.
func (s *Store) remember(g uint32, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.generations[g] != stateDropped {
		s.mu.generations[g] = state
	}
}

// whyFailed is asked when a request for cells of a generation failed. gone reports that
// the generation was dropped, or is below the lowest in the list of the pointer. Its
// cells then count as nothing, and that is not an error. Otherwise the error stays
// one: a table that should exist and does not is a fault, and the shard waits.
func (s *Store) whyFailed(ctx context.Context, g uint32, failed error) (gone bool, err error) {
	state, err := s.readState(ctx, g)
	if err != nil {
		return false, err
	}
	switch {
	case state == stateDropped:
		return true, nil
	case state == "":
		return false, fmt.Errorf("%w: %d", store.ErrNoGeneration, g)
	case !client.IsNoTable(failed):
		return false, failed
	}
	p, err := s.Pointer(ctx)
	if err != nil {
		return false, err
	}
	if len(p.Generations) > 0 && g < slices.Min(p.Generations) {
		return true, nil
	}
	return false, fmt.Errorf("%w: %d was created, but table %s is gone", store.ErrNoGeneration, g, s.names.cells(g))
}

// splits returns the keys at which a table of n regions is split.
func splits(n int) (keys [][]byte) {
	for i := 1; i < n; i++ {
		keys = append(keys, []byte{hexDigits[i*buckets/n]})
	}
	return keys
}

// stateRegions bounds the regions of a table of snapshots: few rows, long ones.
const stateRegions = 4

// tableTime bounds the creation or dropping of tables, which takes seconds.
const tableTime = 2 * time.Minute

// CreateGeneration implements store.Control. It creates the tables first, then the
// row that records them: a crash in between leaves tables that the next call finds.
// The row decides: a process that finds it dropped removes the tables again.
func (s *Store) CreateGeneration(ctx context.Context, g uint32) error {
	state, err := s.readState(ctx, g)
	if err != nil {
		return err
	}
	switch state {
	case stateDropped:
		return fmt.Errorf("%w: %d", store.ErrDropped, g)
	case stateCreated:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	var families []string
	for _, v := range s.opts.Views {
		families = append(families, family(v))
	}
	var both errgroup.Group
	both.Go(func() error { return s.create(ctx, s.names.cells(g), families, splits(s.opts.Regions)) })
	both.Go(func() error {
		return s.create(ctx, s.names.state(g), []string{stateFamily}, splits(min(stateRegions, s.opts.Regions)))
	})
	if err := both.Wait(); err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	won, err := swap(ctx, s.client, s.names.control(), generationRow(g), stateColumn, nil, []byte(stateCreated))
	if err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	if won {
		s.remember(g, stateCreated)
		return nil
	}
	if state, err = s.readState(ctx, g); err != nil || state == stateCreated {
		return err
	}
	if err := s.master.Remove(ctx, s.names.cells(g)); err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	return fmt.Errorf("%w: %d", store.ErrDropped, g)
}

// DropGeneration implements store.Control. It writes the row first, so that a put
// that finds no table knows why, and then drops the table. A crash in between leaves
// a table that the next drop, of this generation or another, removes.
func (s *Store) DropGeneration(ctx context.Context, g uint32) error {
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	for {
		state, err := s.readState(ctx, g)
		if err != nil {
			return err
		}
		if state == stateDropped {
			break
		}
		var from []byte
		if state != "" {
			from = []byte(state)
		}
		won, err := swap(ctx, s.client, s.names.control(), generationRow(g), stateColumn, from, []byte(stateDropped))
		if err != nil {
			return fmt.Errorf("generation %d: %w", g, err)
		}
		if won {
			s.remember(g, stateDropped)
			break
		}
	}
	if err := s.sweepCells(ctx); err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	if err := s.sweepSnapshots(ctx); err != nil {
		s.opts.Logger.Warn("hbase: tables of old snapshots stay until the next generation is dropped", "err", err)
	}
	return nil
}

// sweepCells removes the tables of all dropped generations.
func (s *Store) sweepCells(ctx context.Context) error {
	all, err := s.allGenerations(ctx)
	if err != nil {
		return err
	}
	tables, err := s.master.Tables(ctx, s.names.cellsPrefix())
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.state == stateDropped && slices.Contains(tables, s.names.cells(g.number)) {
			if err := s.master.Remove(ctx, s.names.cells(g.number)); err != nil {
				return fmt.Errorf("table %s: %w", s.names.cells(g.number), err)
			}
		}
	}
	return nil
}
